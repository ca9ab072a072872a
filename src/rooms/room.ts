// Types of a room on this node, of its members, and of the subscribers that the rooms send to.
import type { MaybePromise } from '../maybe-promise.js'
import type { Claims } from '../auth/policy.js'
import type { LogEntry, RoomView } from '../broker/broker.js'
import type { CloseReason, Failure } from '../errors.js'
import type { Role } from '../protocol/events.js'
import type { RoomMember } from '../protocol/server-frames.js'
import type { MembershipMap } from './membership-map.js'

/** Client as its rooms see it: a socket or an event stream. */
export interface Subscriber {
  readonly clientId: string
  readonly memberships: MembershipMap
  /** Sends a live event. */
  send: (entry: LogEntry) => void
  /** Sends a replayed event at the subscriber's pace. @returns a promise to await before the next event, if the subscriber is behind */
  sendPaced: (entry: LogEntry) => Promise<void> | undefined
  /** Sends a message that is in no log. */
  sendControl: (frame: string) => void
  close: (reason: CloseReason) => void
}

/** One subscriber in one room. */
export interface Member {
  readonly room: LocalRoom
  readonly subscriber: Subscriber
  /** Claims of the last join; a later join may bring newer ones. */
  claims: Claims
  deviceId: string
  role: Role
  /** The member was announced and counts as present. Before that, its join may still be refused. */
  announced: boolean
  /** The member asked for `DEVICE_JOINED` and `DEVICE_LEFT`. */
  presence: boolean
  /** The member asked for `PAYMENT_STALLED`. */
  stalls: boolean
  /** `seq` up to which the join covers the log. The broker may still deliver entries up to it, which are skipped. */
  deliveredSeq: number
  /** Live entries buffered until the joining member has its reply and its replay; undefined once the member is live. */
  buffered: LogEntry[] | undefined
}

export interface LocalRoom {
  readonly roomId: string
  /** Replaced, never changed: a delivery walks the members that there were when it began. Takes 200 B less than a Set. */
  members: readonly Member[]
  /** Members on other nodes. */
  remoteMembers: readonly RoomMember[]
  /** Settles once the broker delivers the room's entries to this node, perhaps with the room as it was then; undefined from then on. */
  subscription: MaybePromise<RoomView | Failure | undefined | void>
}

/** Member as shown to the other members. */
export function describe ({ subscriber: { clientId }, deviceId, role }: Member): RoomMember { return { clientId, deviceId, role } }
