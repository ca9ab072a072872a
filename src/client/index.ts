// Entry point of the client for browsers and Node.js: `connect` joins a payment's room and rejoins it after every connection loss.
import type { ConnectOptions } from './options.js'
import { Room } from './room.js'

/** @throws {TypeError} if `url` is not a valid URL */
export function connect (options: ConnectOptions): Room { return new Room(options) }

export { RoomError } from './frames.js'
export type {
  DevicePaymentEvent, Outcome as PaymentOutcome, PayloadOf, PaymentEventType, PaymentState, PaymentStatus, Position, Receipt, Role, RoomEvent, RoomMember, Source
} from './frames.js'
export type { Environment, StorageLike } from './environment.js'
export type { ConnectOptions } from './options.js'
export type { SettledStatus } from './payment.js'
export type { Closing, Gap, RoomEventMap, Settled, Stalled, Status } from './signals.js'
export type { Room } from './room.js'
