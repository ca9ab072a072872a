// The eight events a client may send: one table of what each carries, who sends it and how it reads in a log.
import { Type, type Static, type TObject } from '@sinclair/typebox'
import { DeviceId, RoomId } from './identifiers.js'

const device = { roomId: RoomId, deviceId: Type.Optional(DeviceId) }
const text = Type.String({ maxLength: 2048 })

// Keys that the contract does not name are carried along, so none of these schemas closes its object.
export const JoinRoom = Type.Object(device, { description: 'Enters the room. Sent by device 1.' })
export const EnteredSummary = Type.Object(device, { description: 'The payer sees the summary.' })
export const ClickedProceed = Type.Object(device, { description: 'The payer goes on to payment.' })
export const PaymentMethodChanged = Type.Object({ ...device, method: Type.Optional(text) }, { description: 'The payer chose a payment method.' })
export const DataFilled = Type.Object(
  { ...device, fields: Type.Optional(Type.Array(text, { description: 'The names of the fields, never their values.' })) },
  { description: 'The payer filled in the data.' })
export const ClickedPay = Type.Object(device, { description: 'The payer pressed pay.' })
export const PaymentSuccess = Type.Object({
  ...device,
  transactionId: Type.Optional(text),
  amount: Type.Optional(Type.Number({ minimum: 0 })),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217' }))
}, { description: 'The payment succeeded.' })
export const PaymentError = Type.Object({ ...device, error: Type.Optional(text), code: Type.Optional(text) }, { description: 'The payment failed.' })

export type JoinRoom = Static<typeof JoinRoom>

interface EventRule {
  readonly schema: TObject
  /** The device that the seed shows sending it; it is the role of a socket whose first frame this is. */
  readonly sentBy: 'device1' | 'device2'
  /** What an operator reads when the payment gets this far. */
  readonly sentence: string
}

/** Every event that a client may send. A frame whose `type` is not a key of this table is refused with `UNKNOWN_EVENT`. */
export const EVENTS = {
  JOIN_ROOM: { schema: JoinRoom, sentBy: 'device1', sentence: 'joined the room' },
  ENTERED_SUMMARY: { schema: EnteredSummary, sentBy: 'device2', sentence: 'payer entered the summary' },
  CLICKED_PROCEED: { schema: ClickedProceed, sentBy: 'device2', sentence: 'payer clicked proceed' },
  PAYMENT_METHOD_CHANGED: { schema: PaymentMethodChanged, sentBy: 'device2', sentence: 'payer changed the payment method' },
  DATA_FILLED: { schema: DataFilled, sentBy: 'device2', sentence: 'payer filled in the data' },
  CLICKED_PAY: { schema: ClickedPay, sentBy: 'device2', sentence: 'payer clicked pay' },
  PAYMENT_SUCCESS: { schema: PaymentSuccess, sentBy: 'device2', sentence: 'payment succeeded' },
  PAYMENT_ERROR: { schema: PaymentError, sentBy: 'device2', sentence: 'payment failed' }
} as const satisfies Record<string, EventRule>

export type EventType = keyof typeof EVENTS
/** The seven events that are relayed and logged: all but `JOIN_ROOM`. */
export type PaymentEventType = Exclude<EventType, 'JOIN_ROOM'>
/** What every payload has in common; the rest depends on the event. */
export type EventPayload = Record<string, unknown> & { roomId: RoomId, deviceId?: string }
export type Role = 'device1' | 'device2'
/** Who an event comes from: a socket, or a backend over REST. */
export type Source = 'device' | 'api'

export const EVENT_TYPES = Object.keys(EVENTS) as EventType[]
