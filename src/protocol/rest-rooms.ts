// Schemas of the REST API for rooms: create, list, read, mint tokens, and read and publish events.
import { Type, type Static } from '@sinclair/typebox'
import { Amount, AMOUNT_TEXTS, Currency, PUBLISHED_EVENT_TYPES, Role, SOURCES } from './events.js'
import { Epoch, MAX_REFERENCE, MAX_TTL_SECONDS, MAX_WEBHOOK_URL, Redacted, Timestamp } from './fields.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { PAYMENT_STATUSES, PaymentState } from './payment-state.js'
import { ErrorResponse, successEnvelope } from './rest.js'
import { WithDefault, Nullable, Ref, StringEnum } from './schema.js'
import { RoomMember } from './server-frames.js'

const Seq = Type.Integer({ minimum: 0, description: 'Sequence number of the last event in the log.', examples: [7] })

const Reference = Type.String({ minLength: 1, maxLength: MAX_REFERENCE, description: 'Name of the payment in the shop, such as an order number.', examples: ['order 1234'] })
const Description = Type.String({ minLength: 1, maxLength: MAX_REFERENCE, description: 'Text for the payer.', examples: ['Two books'] })

/** Terms of a payment link, which a backend sets when it creates the room or later. */
const TERMS = {
  ttlSeconds: Type.Optional(Type.Integer({
    minimum: 1,
    maximum: MAX_TTL_SECONDS,
    description: 'Time from now until the deadline of the payment link. At the deadline the room gets `PAYMENT_EXPIRED`, and devices can publish no more; results of a backend are taken for some days after it. ' +
      'Without a deadline the room ends after it was empty for the retention time.',
    examples: [1800]
  })),
  amount: Type.Optional(Type.Union([...Amount.anyOf], { ...AMOUNT_TEXTS, description: `Expected amount, which requires a \`currency\`: ${AMOUNT_TEXTS.description}.` })),
  currency: Type.Optional(Currency),
  reference: Type.Optional(Reference),
  description: Type.Optional(Description)
}

export const CreateRoomRequest = Type.Object({
  roomId: Type.Optional(RoomId),
  ...TERMS,
  webhookUrl: Type.Optional(Type.String({
    minLength: 1,
    maxLength: MAX_WEBHOOK_URL,
    pattern: '^https?://[^/\\s]',
    description: 'URL, `https://…`, that gets the webhooks of this room in place of the URL of the server. Requires a server that signs webhooks. No answer contains it.',
    examples: ['https://shop.example/webhooks/payments']
  }))
}, { $id: 'CreateRoomRequest' })

export const UpdateRoomRequest = Type.Object(TERMS, {
  $id: 'UpdateRoomRequest', minProperties: 1, additionalProperties: false, description: 'The terms that change; `ttlSeconds` extends a link, also one that has expired.'
})

const Token = Type.String({ description: 'Room token, for `token` in `JOIN_ROOM` or as a bearer token.', examples: ['eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl'] })

export const CreatedRoom = Type.Object({
  roomId: RoomId,
  expiresAt: Timestamp,
  tokens: Type.Optional(Type.Object({ device1: Token, device2: Token }, { description: 'Tokens for the two devices, if the server requires tokens. Their lifetime is the server\'s default.' }))
}, { $id: 'CreatedRoom' })

export const CreateTokenRequest = Type.Object({
  role: Role,
  deviceId: Type.Optional(DeviceId),
  ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TTL_SECONDS, description: 'Lifetime of the token; the default is a setting of the server.', examples: [900] }))
}, { $id: 'CreateTokenRequest', description: 'Role and lifetime of a token and, optionally, the only device that may use it.' })

export const RoomToken = Type.Object({ token: Token, expiresAt: Timestamp }, { $id: 'RoomToken' })

export const RoomSummary = Type.Object({
  roomId: RoomId,
  members: Type.Integer({ description: 'Number of devices in the room.', examples: [2] }),
  seq: Seq,
  status: StringEnum(PAYMENT_STATUSES, { examples: ['pending'] }),
  reference: Type.Optional(Reference),
  createdAt: Timestamp,
  expiresAt: Timestamp,
  lastEventAt: Nullable(Timestamp)
}, { $id: 'RoomSummary' })

export const RoomList = Type.Object({
  rooms: Type.Array(Ref(RoomSummary)),
  cursor: Nullable(Type.String(), { description: 'Cursor of the next page; null on the last page.', examples: [null] })
}, { $id: 'RoomList' })

export const RoomDetails = Type.Object({
  roomId: RoomId,
  epoch: Epoch,
  seq: Seq,
  state: Ref(PaymentState),
  reference: Type.Optional(Reference),
  description: Type.Optional(Description),
  members: Type.Array(Ref(RoomMember)),
  createdAt: Timestamp,
  expiresAt: Timestamp
}, { $id: 'RoomDetails' })

export const RoomState = Type.Object({ roomId: RoomId, epoch: Epoch, seq: Seq, state: Ref(PaymentState) }, { $id: 'RoomState' })

export const RoomEvent = Type.Object({
  type: Type.String({ examples: ['PAYMENT_SUCCESS'] }),
  payload: Type.Object({}, { additionalProperties: true, examples: [{ roomId: 'payment_123', transactionId: 'tx_456789', amount: 99.9 }] }),
  seq: Type.Integer({ minimum: 1, examples: [7] }),
  timestamp: Timestamp,
  source: StringEnum(SOURCES, { description: '`api`: sent by a backend. A payment event is `api` only with an API key, otherwise `device`. `server`: sent by the server itself.' }),
  redacted: Redacted,
  id: Type.Optional(FrameId)
}, { $id: 'RoomEvent', description: 'An event as the members of the room received it.' })
export type RoomEvent = Static<typeof RoomEvent>

export const RoomEvents = Type.Object({
  epoch: Epoch,
  seq: Seq,
  recovered: Type.Boolean({ description: 'True: no event after the requested position is missing. False: events may be missing, and the list starts with the oldest event in the log.' }),
  events: Type.Array(Ref(RoomEvent)),
  more: Type.Boolean({ description: 'True if there are further events; request them with the last `seq` as `since`.' })
}, { $id: 'RoomEvents' })

export const PublishRequest = Type.Object({
  type: StringEnum(PUBLISHED_EVENT_TYPES, { examples: ['PAYMENT_SUCCESS'] }),
  payload: Type.Optional(Type.Object({}, {
    additionalProperties: true, description: 'Payload as a device sends it; `roomId` is optional.', examples: [{ transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }]
  })),
  id: Type.Optional(FrameId)
}, { $id: 'PublishRequest' })

export const PublishResult = Type.Object({
  epoch: Epoch,
  seq: Type.Integer({ minimum: 1, examples: [7] }),
  duplicate: Type.Boolean({ description: 'True if the event was already in the log; it is not relayed again.' }),
  sentToClients: Type.Integer({ examples: [2] })
}, { $id: 'PublishResult' })

/** Maximum number of events in a batch: as many as a client keeps pending. */
export const MAX_BATCH = 100

/** Maximum size of a batch, bytes: as much as a browser sends after its page is gone (Fetch standard §4.6, `keepalive`). */
export const MAX_BATCH_BYTES = 65_536

export const PublishBatchRequest = Type.Object({
  events: Type.Array(Ref(PublishRequest), { minItems: 1, maxItems: MAX_BATCH, description: 'Events, in the order in which they are to be logged.' })
}, { $id: 'PublishBatchRequest' })

/** Outcome of one event of a batch: `seq`, `duplicate` and `sentToClients`, or `code` and `error`. */
export const BatchOutcome = Type.Object({
  seq: Type.Optional(PublishResult.properties.seq),
  duplicate: Type.Optional(PublishResult.properties.duplicate),
  sentToClients: Type.Optional(PublishResult.properties.sentToClients),
  code: Type.Optional(ErrorResponse.properties.code),
  error: Type.Optional(ErrorResponse.properties.error)
}, { $id: 'BatchOutcome', description: 'Outcome of one event: `seq`, `duplicate` and `sentToClients`, or, if it was rejected, `code` and `error`.' })

export const PublishBatchResult = Type.Object({
  epoch: Epoch,
  results: Type.Array(Ref(BatchOutcome), { description: 'Outcomes of the events, in their order.' })
}, { $id: 'PublishBatchResult' })

export const ListRoomsQuery = Type.Object({
  cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'Cursor from the previous page.', examples: ['1'] })),
  limit: WithDefault(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Maximum number of rooms.', examples: [100] }))
})

export const EventsQuery = Type.Object({
  since: WithDefault(Type.Integer({ minimum: 0, default: 0, description: 'Returns events after this `seq`.', examples: [1] })),
  epoch: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'The epoch of `since`; required unless `since` is 0.', examples: ['yhKhDhBWRLJq'] })),
  limit: WithDefault(Type.Integer({ minimum: 1, maximum: 1000, default: 1000, description: 'Maximum number of events; ignored by streams.', examples: [100] })),
  deviceId: Type.Optional(DeviceId),
  role: Type.Optional(Role),
  presence: Type.Optional(Type.Boolean({ description: 'For a stream: requests the members of the room, and `DEVICE_JOINED` and `DEVICE_LEFT`.' })),
  stalls: Type.Optional(Type.Boolean({ description: 'For a stream of device 1: requests `PAYMENT_STALLED`.' }))
})

export const CreatedRoomResponse = successEnvelope(CreatedRoom)
export const RoomTokenResponse = successEnvelope(RoomToken)
export const RoomListResponse = successEnvelope(RoomList)
export const RoomDetailsResponse = successEnvelope(RoomDetails)
export const RoomStateResponse = successEnvelope(RoomState)
export const RoomEventsResponse = successEnvelope(RoomEvents)
export const PublishResultResponse = successEnvelope(PublishResult)
export const PublishBatchResponse = successEnvelope(PublishBatchResult)

/** Named OpenAPI components of this file. */
export const ROOM_COMPONENTS = [
  PaymentState, RoomMember, CreateRoomRequest, CreatedRoom, CreatedRoomResponse, CreateTokenRequest, RoomToken, RoomTokenResponse,
  RoomSummary, RoomList, RoomListResponse, RoomDetails, RoomDetailsResponse,
  UpdateRoomRequest, RoomState, RoomStateResponse, RoomEvent, RoomEvents, RoomEventsResponse, PublishRequest, PublishResult, PublishResultResponse,
  PublishBatchRequest, BatchOutcome, PublishBatchResult, PublishBatchResponse
]
