// A room as this node knows it, who is in it, and what a room needs of a client.
import type { MaybePromise } from '../maybe-promise.js'
import type { Claims } from '../auth/policy.js'
import type { LogEntry } from '../broker/broker.js'
import type { CloseReason, Failure } from '../errors.js'
import type { Role } from '../protocol/events.js'
import type { RoomMember } from '../protocol/server-frames.js'

/** A client as its rooms see it: a socket, or an event stream. */
export interface Subscriber {
  readonly clientId: string
  readonly memberships: Map<string, Member>
  /** A live event. */
  send: (entry: LogEntry) => void
  /** An event of those that are told again, at the pace of the recipient. @returns what to wait for before the next one, if anything */
  sendPaced: (entry: LogEntry) => Promise<void> | undefined
  /** A frame that is in no log. */
  sendControl: (frame: string) => void
  close: (reason: CloseReason) => void
}

/** One recipient in one room. */
export interface Member {
  readonly room: LocalRoom
  readonly subscriber: Subscriber
  /** What it has shown; a later join may bring something newer. */
  claims: Claims
  deviceId: string
  role: Role
  /** It was introduced, so it counts as being there. Until then it may yet be refused. */
  announced: boolean
  /** It asked for news of who comes and goes. */
  presence: boolean
  /** The last event that it was told of when it joined. The broker may still hand out some of those. */
  deliveredSeq: number
  /** Live entries that wait until the newcomer has its reply; undefined once it is live. */
  buffered: LogEntry[] | undefined
}

export interface LocalRoom {
  readonly roomId: string
  readonly members: Set<Member>
  /** Who is in it on other nodes. */
  remoteMembers: readonly RoomMember[]
  /** Settles once the broker delivers the room's entries here; undefined from then on. */
  subscription: MaybePromise<void | Failure>
}

/** A member as the others may know it. */
export function describe ({ subscriber: { clientId }, deviceId, role }: Member): RoomMember { return { clientId, deviceId, role } }
