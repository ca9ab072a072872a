// Schemas of the server's own messages: greeting, replies, presence, the end of a room, errors.
import { Type, type Static, type TObject } from '@sinclair/typebox'
import { ERROR_CODES } from '../errors.js'
import { COMMANDS, DEVICE_EVENT_TYPES, EVENT_TYPES, Role, SOURCES } from './events.js'
import { Epoch, Redacted, Timestamp } from './fields.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { PaymentState } from './payment-state.js'
import { StringEnum } from './schema.js'

/** The first message on every socket. */
export const ConnectionEstablished = Type.Object({
  clientId: Type.String(),
  message: Type.String(),
  timestamp: Timestamp,
  supportedEvents: Type.Array(StringEnum(DEVICE_EVENT_TYPES, { title: 'EventType' }))
})
export type ConnectionEstablished = Static<typeof ConnectionEstablished>

/** Payload of a backend's broadcast. Its `type` is chosen by the backend. */
export const BroadcastPayload = Type.Object({
  roomId: RoomId, message: Type.String(), idSeguro: Type.String(), timestamp: Timestamp, source: Type.Literal('api')
})

/** Keys of every event in a room's log besides `type` and `payload`. */
export const LOGGED = {
  seq: Type.Integer({ minimum: 1, description: 'Sequence number of the event in its room: 1, 2, 3 …' }),
  timestamp: Type.Integer({ description: 'Time at which the server accepted the event, in milliseconds since the Unix epoch.' }),
  source: StringEnum(SOURCES, { title: 'Source', description: '`api`: a broadcast, or an event with an API key; `server`: an event of the server itself; `device`: any other event.' }),
  redacted: Redacted,
  id: Type.Optional(FrameId)
}

/** A member of a room: a device with all its connections. */
export const RoomMember = Type.Object({
  clientId: Type.String({ examples: ['client_1705312205000_1f2e3d4c5b6a'] }),
  deviceId: DeviceId,
  role: Role,
  connections: Type.Optional(Type.Integer({ minimum: 2, description: 'Number of connections of the device, if it has more than one; `clientId` and `role` are then those of one of them.' }))
}, { $id: 'RoomMember' })
export type RoomMember = Static<typeof RoomMember>

/** The reply to `JOIN_ROOM`, to its sender only. */
export const RoomJoined = Type.Object({
  roomId: RoomId,
  deviceId: DeviceId,
  clientId: Type.String(),
  timestamp: Timestamp,
  epoch: Epoch,
  seq: Type.Integer({ minimum: 0, description: 'Sequence number of the last event in the log.' }),
  state: PaymentState,
  recovered: Type.Optional(Type.Boolean({ description: 'Only with `recover`. True: all missed events follow. False: events may be missing, and the whole log follows.' })),
  replayed: Type.Optional(Type.Integer({ minimum: 0, description: 'Number of logged events that follow before the live events.' })),
  members: Type.Optional(Type.Array(RoomMember, { description: 'Only with `presence`: the members of the room.' }))
})
export type RoomJoined = Static<typeof RoomJoined>

/** Confirms that an event with an `id` is in the room's log. */
export const Ack = Type.Object({
  id: FrameId, roomId: RoomId, epoch: Epoch, seq: Type.Integer({ minimum: 1 }), duplicate: Type.Boolean({ description: 'True if the event was already in the log; it is not relayed again.' })
})
export type Ack = Static<typeof Ack>

/** `DEVICE_JOINED` and `DEVICE_LEFT`, sent to members that asked for presence. Not logged. */
export const DevicePresence = Type.Object({ roomId: RoomId, clientId: Type.String(), deviceId: DeviceId, role: Role, timestamp: Timestamp })
export type DevicePresence = Static<typeof DevicePresence>

/** The reply to `LEAVE_ROOM`. */
export const RoomLeft = Type.Object({ roomId: RoomId, timestamp: Timestamp })
export type RoomLeft = Static<typeof RoomLeft>

/** The reply to `PING`. */
export const Pong = Type.Object({ timestamp: Timestamp })
export type Pong = Static<typeof Pong>

/** The payer has paused in a step, sent to members that asked for stalls. Not logged. */
export const PaymentStalled = Type.Object({
  roomId: RoomId,
  seq: Type.Integer({ minimum: 1, description: 'Sequence number of the last event in the log.' }),
  step: PaymentState.properties.step,
  lastEventAt: Timestamp,
  timestamp: Timestamp
})
export type PaymentStalled = Static<typeof PaymentStalled>

/** The room has ended: a backend closed it, or it expired. */
export const RoomClosed = Type.Object({ roomId: RoomId, reason: StringEnum(['closed', 'expired'], { title: 'RoomClosedReason' }), timestamp: Timestamp })
export type RoomClosed = Static<typeof RoomClosed>

/** Error in a client's message, to its sender only; the socket stays open. */
export const ErrorFrame = Type.Object({
  message: Type.String(),
  timestamp: Timestamp,
  code: StringEnum(ERROR_CODES, { title: 'ErrorCode' }),
  retryable: Type.Boolean(),
  id: Type.Optional(FrameId),
  number: Type.Optional(Type.Integer({ minimum: 1, description: 'Only if the rejected message has an `id` that breaks the rules: its number among the messages of its socket, from 1.' }))
})
export type ErrorFrame = Static<typeof ErrorFrame>

/** All messages of the server itself by type: the payload schema, and the occasion. */
export const SERVER_FRAMES = {
  CONNECTION_ESTABLISHED: { schema: ConnectionEstablished, when: 'The first message on every socket.' },
  ROOM_JOINED: { schema: RoomJoined, when: 'The reply to `JOIN_ROOM`, sent only to its sender.' },
  ACK: { schema: Ack, when: 'Confirms that an event with an `id` is in the log of the room.' },
  DEVICE_JOINED: { schema: DevicePresence, when: 'A device joined the room. Sent to members with `presence`.' },
  DEVICE_LEFT: { schema: DevicePresence, when: 'A device left the room, or was disconnected for longer than the grace period. Sent to members with `presence`.' },
  PAYMENT_STALLED: { schema: PaymentStalled, when: 'Nothing has happened for a while although the payer has begun: once for each pause. Sent to device 1 with `stalls`. The next event ends the pause.' },
  ROOM_LEFT: { schema: RoomLeft, when: 'The reply to `LEAVE_ROOM`.' },
  PONG: { schema: Pong, when: 'The reply to `PING`.' },
  ROOM_CLOSED: { schema: RoomClosed, when: 'The room has ended: a backend closed it, or it expired. The socket stays open.' },
  ERROR: { schema: ErrorFrame, when: 'A message was rejected. Sent only to its sender; the socket stays open.' }
} as const satisfies Record<string, { schema: TObject, when: string }>
export type ServerFrameType = keyof typeof SERVER_FRAMES

/** Every `type` that the protocol owns; a backend's broadcast must not use one of them. */
export const RESERVED_TYPES: ReadonlySet<string> = new Set([...EVENT_TYPES, ...Object.keys(COMMANDS), ...Object.keys(SERVER_FRAMES)])
