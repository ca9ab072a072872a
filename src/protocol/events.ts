// Schemas of client messages: all events in one table (payload, sender, log message), and the commands.
import { Type, type Static, type TObject } from '@sinclair/typebox'
import { MAX_STRING, Timestamp } from './fields.js'
import { DeviceId, RoomId } from './identifiers.js'
import { StringEnum } from './schema.js'

const device = { roomId: RoomId, deviceId: Type.Optional(DeviceId) }
const text = Type.String({ maxLength: MAX_STRING })

/** Description and example of an amount of money. The rules for its digits and for the currency are in money.ts. */
export const AMOUNT_TEXTS = { description: 'a number that is not negative, or the same as decimal text, such as "99.90"', examples: [99.9] }
export const Amount = Type.Union([Type.Number({ minimum: 0 }), Type.String({ pattern: '^[0-9]{1,15}(\\.[0-9]{1,15})?$' })], AMOUNT_TEXTS)
export const Currency = Type.String({ pattern: '^[A-Za-z]{3}$', description: 'Currency code, ISO 4217.', examples: ['BRL'] })
const money = { amount: Type.Optional(Amount), currency: Type.Optional(Currency) }
export const TransactionId = Type.Union([text, Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })], {
  description: 'text, or an integer up to 2^53 - 1', examples: ['tx_456789']
})

export const ROLES = ['device1', 'device2'] as const
export const Role = StringEnum(ROLES, { title: 'Role', description: 'device1 created the payment link and watches; device2 opened the link and pays.' })
export type Role = Static<typeof Role>

/** Last position in a room's log that a client knows. `seq: 0` needs no epoch: it requests the whole log. */
export const Recover = Type.Object({
  epoch: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })), seq: Type.Integer({ minimum: 0 })
}, { title: 'Recover', description: 'Position of the last event that the client received. `seq: 0` requests the whole log and needs no epoch.' })

// Keys outside the contract are relayed unchanged, so none of these schemas sets `additionalProperties: false`.
export const JoinRoom = Type.Object({
  ...device,
  role: Type.Optional(Role),
  token: Type.Optional(Type.String({ description: 'Room token, if the server requires one.' })),
  recover: Type.Optional(Recover),
  presence: Type.Optional(Type.Boolean({ description: 'Requests the members of the room, and `DEVICE_JOINED` and `DEVICE_LEFT`.' })),
  stalls: Type.Optional(Type.Boolean({ description: 'Requests `PAYMENT_STALLED`; for device 1.' }))
}, { description: 'Joins the room. Sent by device 1, and by a device 2 that uses an option of the join.' })
export const EnteredSummary = Type.Object(device, { description: 'The payer opened the summary.' })
export const ClickedProceed = Type.Object(device, { description: 'The payer continued to the payment.' })
export const PaymentMethodChanged = Type.Object({ ...device, method: Type.Optional(text) }, { description: 'The payer chose a payment method.' })
export const DataFilled = Type.Object(
  { ...device, fields: Type.Optional(Type.Array(text, { description: 'Names of the fields, never their values.' })) },
  { description: 'The payer filled in the data.' })
export const ClickedPay = Type.Object(device, { description: 'The payer clicked pay.' })
export const PaymentSuccess = Type.Object({ ...device, transactionId: Type.Optional(TransactionId), ...money }, { description: 'The payment succeeded.' })
export const PaymentError = Type.Object({ ...device, error: Type.Optional(text), code: Type.Optional(text) }, { description: 'The payment failed.' })
export const PaymentPending = Type.Object({
  ...device,
  reason: Type.Optional(Type.String({ maxLength: MAX_STRING, description: '`awaiting_payment`, `in_analysis`, `authorized`, or any other text.' })),
  method: Type.Optional(text),
  expiresAt: Type.Optional(Timestamp)
}, { description: 'The result is not known yet: the payer has to pay, or the provider is examining the payment.' })
export const PaymentCancelled = Type.Object({ ...device, reason: Type.Optional(text) }, { description: 'The payment was cancelled.' })
export const PaymentRefunded = Type.Object(
  { ...device, ...money, transactionId: Type.Optional(TransactionId), refundId: Type.Optional(TransactionId) },
  { description: 'Money was paid back: the amount, or all of it if there is none.' })
export const PaymentDisputed = Type.Object({
  ...device, ...money, reason: Type.Optional(text), outcome: Type.Optional(StringEnum(['opened', 'won', 'lost'], { title: 'DisputeOutcome' }))
}, { description: 'The payer disputes the payment (chargeback); `won` ends the dispute for the shop.' })
export const PaymentExpired = Type.Object(device, { description: 'The deadline of the payment link has passed.' })
export const LinkUpdated = Type.Object(
  { ...device, ...money, reference: Type.Optional(text), description: Type.Optional(text), expiresAt: Type.Optional(Timestamp) },
  { description: 'A backend changed the payment link: its amount, its description or its deadline.' })
export const LeaveRoom = Type.Object({ roomId: RoomId }, { description: 'Leaves one room; the socket stays in its other rooms.' })
export const Ping = Type.Object({}, { description: 'Requests a `PONG`, since browsers cannot send WebSocket pings.' })

export type JoinRoom = Static<typeof JoinRoom>

interface EventRule {
  readonly schema: TObject
  /** Device: the one that sends it in the original specification; the role of a socket whose first message this is. Only a backend, or only this server, sends the others. */
  readonly sentBy: Role | 'backend' | 'server'
  /** Log message for operators when the payment reaches this event. */
  readonly sentence: string
}

/** Every event that a client may send. A message whose `type` is neither a key of this table nor of COMMANDS is rejected with `UNKNOWN_EVENT`. */
export const EVENTS = {
  JOIN_ROOM: { schema: JoinRoom, sentBy: 'device1', sentence: 'client joined the room' },
  ENTERED_SUMMARY: { schema: EnteredSummary, sentBy: 'device2', sentence: 'payer entered the summary' },
  CLICKED_PROCEED: { schema: ClickedProceed, sentBy: 'device2', sentence: 'payer clicked proceed' },
  PAYMENT_METHOD_CHANGED: { schema: PaymentMethodChanged, sentBy: 'device2', sentence: 'payer changed the payment method' },
  DATA_FILLED: { schema: DataFilled, sentBy: 'device2', sentence: 'payer filled in the data' },
  CLICKED_PAY: { schema: ClickedPay, sentBy: 'device2', sentence: 'payer clicked pay' },
  PAYMENT_SUCCESS: { schema: PaymentSuccess, sentBy: 'device2', sentence: 'payment succeeded' },
  PAYMENT_ERROR: { schema: PaymentError, sentBy: 'device2', sentence: 'payment failed' },
  PAYMENT_PENDING: { schema: PaymentPending, sentBy: 'backend', sentence: 'payment pending' },
  PAYMENT_CANCELLED: { schema: PaymentCancelled, sentBy: 'backend', sentence: 'payment cancelled' },
  PAYMENT_REFUNDED: { schema: PaymentRefunded, sentBy: 'backend', sentence: 'payment refunded' },
  PAYMENT_DISPUTED: { schema: PaymentDisputed, sentBy: 'backend', sentence: 'payment disputed' },
  PAYMENT_EXPIRED: { schema: PaymentExpired, sentBy: 'server', sentence: 'payment link expired' },
  LINK_UPDATED: { schema: LinkUpdated, sentBy: 'server', sentence: 'payment link updated' }
} as const satisfies Record<string, EventRule>

export type EventType = keyof typeof EVENTS
/** The events that are relayed and logged: all but `JOIN_ROOM`. */
export type PaymentEventType = Exclude<EventType, 'JOIN_ROOM'>
/** The seven payment events of the original specification, which devices publish. */
export type DevicePaymentEvent = { [T in PaymentEventType]: typeof EVENTS[T]['sentBy'] extends Role ? T : never }[PaymentEventType]
/** Keys common to all payloads; the rest depends on the event. */
export type EventPayload = Record<string, unknown> & { roomId: RoomId, deviceId?: string }
/** Origins of an event: `api` for a backend (a broadcast, or an event sent with an API key), `server` for this server, `device` for any other sender. */
export const SOURCES = ['device', 'api', 'server'] as const
export type Source = typeof SOURCES[number]

export const EVENT_TYPES = Object.keys(EVENTS) as EventType[]
export const PAYMENT_EVENT_TYPES = EVENT_TYPES.filter((type): type is PaymentEventType => type !== 'JOIN_ROOM')
/** The eight events of the original specification, which devices send. */
export const DEVICE_EVENT_TYPES = EVENT_TYPES.filter(isDeviceEvent)
/** The events that a backend may publish. */
export const PUBLISHED_EVENT_TYPES = PAYMENT_EVENT_TYPES.filter((type) => EVENTS[type].sentBy !== 'server')

/** False for an event that only a backend or this server sends. */
export function isDeviceEvent (type: EventType): type is DevicePaymentEvent | 'JOIN_ROOM' {
  const { sentBy } = EVENTS[type]
  return sentBy === 'device1' || sentBy === 'device2'
}

/** Client messages that are not events: they concern only their sender and are never relayed. */
export const COMMANDS = { LEAVE_ROOM: LeaveRoom, PING: Ping } as const
export type CommandType = keyof typeof COMMANDS
