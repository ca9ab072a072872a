// Schemas of the REST API for rooms: create, list, read, mint tokens, and read and publish events.
import { Type, type Static } from '@sinclair/typebox'
import { PAYMENT_EVENT_TYPES, Role, SOURCES } from './events.js'
import { Epoch, MAX_TTL_SECONDS, Timestamp } from './fields.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { PAYMENT_STATUSES, PaymentState } from './payment-state.js'
import { successEnvelope } from './rest.js'
import { WithDefault, Nullable, Ref, StringEnum } from './schema.js'
import { RoomMember } from './server-frames.js'

const Seq = Type.Integer({ minimum: 0, description: 'The number of the last event in the log.', examples: [7] })

export const CreateRoomRequest = Type.Object({
  roomId: Type.Optional(RoomId),
  ttlSeconds: Type.Optional(Type.Integer({
    minimum: 1, maximum: MAX_TTL_SECONDS, description: 'The room ends then, occupied or not. Without it the room ends when it was empty for the retention time.', examples: [1800]
  }))
}, { $id: 'CreateRoomRequest' })

const Token = Type.String({ description: 'A room token, for `token` in JOIN_ROOM or as a bearer token.', examples: ['eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl'] })

export const CreatedRoom = Type.Object({
  roomId: RoomId,
  expiresAt: Timestamp,
  tokens: Type.Optional(Type.Object({ device1: Token, device2: Token }, { description: 'Where joining needs a token: one for each device, with the life that the server\'s settings say.' }))
}, { $id: 'CreatedRoom' })

export const CreateTokenRequest = Type.Object({
  role: Role,
  deviceId: Type.Optional(DeviceId),
  ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TTL_SECONDS, description: 'How long it may be used; by default as the server\'s settings say.', examples: [900] }))
}, { $id: 'CreateTokenRequest', description: 'For whom a token is: a role, and the only device that may use it, where one is named.' })

export const RoomToken = Type.Object({ token: Token, expiresAt: Timestamp }, { $id: 'RoomToken' })

export const RoomSummary = Type.Object({
  roomId: RoomId,
  members: Type.Integer({ description: 'Clients in it now.', examples: [2] }),
  seq: Seq,
  status: StringEnum(PAYMENT_STATUSES, { examples: ['pending'] }),
  createdAt: Timestamp,
  expiresAt: Timestamp,
  lastEventAt: Nullable(Timestamp)
}, { $id: 'RoomSummary' })

export const RoomList = Type.Object({
  rooms: Type.Array(Ref(RoomSummary)),
  cursor: Nullable(Type.String(), { description: 'For the next page; null on the last one.', examples: [null] })
}, { $id: 'RoomList' })

export const RoomDetails = Type.Object({
  roomId: RoomId, epoch: Epoch, seq: Seq, state: Ref(PaymentState), members: Type.Array(Ref(RoomMember)), createdAt: Timestamp, expiresAt: Timestamp
}, { $id: 'RoomDetails' })

export const RoomEvent = Type.Object({
  type: Type.String({ examples: ['PAYMENT_SUCCESS'] }),
  payload: Type.Object({}, { additionalProperties: true, examples: [{ roomId: 'payment_123', transactionId: 'tx_456789', amount: 99.9 }] }),
  seq: Type.Integer({ minimum: 1, examples: [7] }),
  timestamp: Timestamp,
  source: StringEnum(SOURCES, { description: '`api`: a backend said it. A payment event is that only with an API key; without one it is a device\'s word, however it came.' }),
  id: Type.Optional(FrameId)
}, { $id: 'RoomEvent', description: 'An event as the room\'s members got it.' })
export type RoomEvent = Static<typeof RoomEvent>

export const RoomEvents = Type.Object({
  epoch: Epoch,
  seq: Seq,
  recovered: Type.Boolean({ description: 'The events are an unbroken run from the asked position. False: that cannot be shown, and all that is kept was read.' }),
  events: Type.Array(Ref(RoomEvent)),
  more: Type.Boolean({ description: 'There are more after the last of these; ask again with its `seq` as `since`.' })
}, { $id: 'RoomEvents' })

export const PublishRequest = Type.Object({
  type: StringEnum(PAYMENT_EVENT_TYPES, { examples: ['PAYMENT_SUCCESS'] }),
  payload: Type.Optional(Type.Object({}, {
    additionalProperties: true, description: 'As the device would send it; `roomId` may be left out.', examples: [{ transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }]
  })),
  id: Type.Optional(FrameId)
}, { $id: 'PublishRequest' })

export const PublishResult = Type.Object({
  epoch: Epoch,
  seq: Type.Integer({ minimum: 1, examples: [7] }),
  duplicate: Type.Boolean({ description: 'The `id` was there already; nothing was relayed again.' }),
  sentToClients: Type.Integer({ examples: [2] })
}, { $id: 'PublishResult' })

export const ListRoomsQuery = Type.Object({
  cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'Where the page before ended.', examples: ['1'] })),
  limit: WithDefault(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'How many at the most.', examples: [100] }))
})

export const EventsQuery = Type.Object({
  since: WithDefault(Type.Integer({ minimum: 0, default: 0, description: 'The `seq` after which events are wanted.', examples: [1] })),
  epoch: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'The epoch of that `seq`; needed unless it is 0.', examples: ['yhKhDhBWRLJq'] })),
  limit: WithDefault(Type.Integer({ minimum: 1, maximum: 1000, default: 1000, description: 'For JSON: how many at the most.', examples: [100] })),
  deviceId: Type.Optional(DeviceId),
  role: Type.Optional(Role)
})

export const CreatedRoomResponse = successEnvelope(CreatedRoom)
export const RoomTokenResponse = successEnvelope(RoomToken)
export const RoomListResponse = successEnvelope(RoomList)
export const RoomDetailsResponse = successEnvelope(RoomDetails)
export const RoomEventsResponse = successEnvelope(RoomEvents)
export const PublishResultResponse = successEnvelope(PublishResult)

/** Named OpenAPI components of this file. */
export const ROOM_COMPONENTS = [
  PaymentState, RoomMember, CreateRoomRequest, CreatedRoom, CreatedRoomResponse, CreateTokenRequest, RoomToken, RoomTokenResponse,
  RoomSummary, RoomList, RoomListResponse, RoomDetails, RoomDetailsResponse, RoomEvent, RoomEvents, RoomEventsResponse, PublishRequest, PublishResult, PublishResultResponse
]
