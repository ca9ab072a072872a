// What the server says of its own accord or in reply, as schemas: greeting, ROOM_JOINED, ERROR.
import { Type, type Static } from '@sinclair/typebox'
import { ERROR_CODES } from '../errors.js'
import { EVENT_TYPES } from './events.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { PaymentState } from './payment-state.js'
import { StringEnum } from './schema.js'

const Timestamp = Type.Integer({ description: 'Milliseconds since the epoch.' })

/** The first frame on every socket. */
export const ConnectionEstablished = Type.Object({
  clientId: Type.String(),
  message: Type.String(),
  timestamp: Timestamp,
  supportedEvents: Type.Array(StringEnum(EVENT_TYPES))
})
export type ConnectionEstablished = Static<typeof ConnectionEstablished>

/** The reply to `JOIN_ROOM`, to its sender only. */
export const RoomJoined = Type.Object({
  roomId: RoomId,
  deviceId: DeviceId,
  clientId: Type.String(),
  timestamp: Timestamp,
  epoch: Type.String({ description: 'Names this life of the room\'s log; `seq` counts within it.' }),
  seq: Type.Integer({ minimum: 0, description: 'The last event in the log.' }),
  state: PaymentState
})
export type RoomJoined = Static<typeof RoomJoined>

/** What was wrong with a frame, to its sender only; the socket stays open. */
export const ErrorFrame = Type.Object({
  message: Type.String(),
  timestamp: Timestamp,
  code: StringEnum(ERROR_CODES),
  retryable: Type.Boolean(),
  id: Type.Optional(FrameId)
})
export type ErrorFrame = Static<typeof ErrorFrame>

/** Every `type` that the protocol owns; a backend may not broadcast under these names. */
export const RESERVED_TYPES: ReadonlySet<string> = new Set([
  ...EVENT_TYPES,
  'CONNECTION_ESTABLISHED', 'ROOM_JOINED', 'ERROR',
  'ACK', 'DEVICE_JOINED', 'DEVICE_LEFT', 'LEAVE_ROOM', 'ROOM_LEFT', 'PING', 'PONG', 'ROOM_CLOSED'
])
