// The room log and its fan-out: what every broker promises. Interfaces and types alone; memory-broker.ts and redis.ts implement them.
import type { MaybePromise } from '../maybe-promise.js'
import type { Failure } from '../errors.js'
import type { EventDraft } from './event-draft.js'
import type { WireFrame } from '../websocket/frame-writer.js'
import type { PaymentState } from '../protocol/payment-state.js'
import type { RoomMember } from '../protocol/server-frames.js'

/** A place in a room's log. `seq` counts 1, 2, 3 … within one `epoch`; a log that was lost and begun again has another epoch. */
export interface Position { readonly epoch: string, readonly seq: number }

/** One event of a room's log, encoded: the same bytes go to every member, now or in a replay. */
export interface LogEntry extends Position {
  /** As it travels; `textOf` has the message in it. */
  readonly frame: WireFrame
  /** The client that sent it and does not get it back while it is live. */
  readonly origin?: string | undefined
}

/** What became of a published event. */
export interface Published extends Position {
  /** It was appended now. Otherwise the room knew it, and the rest is what was answered the first time. */
  readonly isNew: boolean
  /** The room knew the event by its id; false where it was the request that was repeated, which gets its first answer. */
  readonly duplicate: boolean
  /** ms since the epoch, when it was accepted. */
  readonly timestamp: number
  /** Members of the room, on all nodes, but for the sender. */
  readonly receivers: number
  /** It moved the payment's state. */
  readonly changed: boolean
}

/** When a room began and when it will end, ms since the epoch. */
export interface Lifetime {
  readonly createdAt: number
  /** The end if nothing happens. It is put off while somebody is in the room, but never past the room's own deadline. */
  readonly expiresAt: number
}

/** One atomic look at a room: where its log ends, the payment's state there, and the events that were asked for. */
export interface RoomView extends Position, Lifetime {
  readonly state: PaymentState
  /** The log holds an unbroken run from the asked position to its end. When false, `entries` is all that is retained. */
  readonly recovered: boolean
  readonly entries: readonly LogEntry[]
  /** Who is in the room on other nodes. */
  readonly remoteMembers: readonly RoomMember[]
}

/** A room in a list. */
export interface RoomSummary extends Position, Lifetime {
  readonly roomId: string
  /** Who is in the room on other nodes. */
  readonly remoteMembers: readonly RoomMember[]
  readonly state: PaymentState
  /** ms since the epoch; null before the first event. */
  readonly lastEventAt: number | null
}

/** Where to read from: after a position, or everything since the beginning (`seq: 0` needs no epoch). */
export interface ReadFrom { readonly epoch?: string | undefined, readonly seq: number }

/** Why a room ended while somebody was in it. */
export type CloseCause = 'closed' | 'expired'

/** Told what happens in subscribed rooms. There is one: this node's rooms. */
export interface BrokerListener {
  /** An entry: each once, in the log's order, and as a rule before its `publish` answers. */
  entry: (roomId: string, entry: LogEntry) => void
  /** The room is over; its subscription has ended. */
  closed: (roomId: string, cause: CloseCause) => void
  /** Entries may be missing and cannot be told any more, or the log has begun anew: whoever is in the room has lost their position. */
  lost: (roomId: string) => void
  /** Who is in the room on other nodes, whenever that changes. */
  remoteMembers: (roomId: string, members: readonly RoomMember[]) => void
}

/**
 * Keeps rooms and their logs. A room begins with `createRoom`, `subscribe` or a creating `publish`, and ends when a backend
 * closes it, at its deadline, or when its retention has passed with no subscriber. Every call may fail with `UNAVAILABLE`:
 * then it may or may not have been done, and is safe to repeat (an event, with the same key). What a device waits for is answered at once by a
 * broker that need not wait.
 */
export interface Broker {
  listen: (listener: BrokerListener) => void
  /**
   * Opens a room before anybody is in it.
   * @param ttl ms until it ends, occupied or not; without it the retention of an empty room counts
   * @returns its lifetime, or `ROOM_EXISTS`
   */
  createRoom: (roomId: string, ttl?: number) => Promise<Lifetime | Failure>
  /**
   * Keeps the room alive and has its entries delivered here. Again changes nothing. A closed room is `ROOM_CLOSED`.
   * @param create open the room where it does not exist, as is the default; otherwise that is `ROOM_NOT_FOUND`
   */
  subscribe: (roomId: string, create?: boolean) => MaybePromise<void | Failure>
  /** Stops the delivery; the retention of a room without subscribers starts to run. */
  unsubscribe: (roomId: string) => MaybePromise<void>
  /**
   * Says who is in the room on this node, all of them each time. Kept for as long as this node lives, whether it subscribes or not.
   * @param away who dropped and may be back: still there for the other nodes, but no receivers
   */
  announce: (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]) => MaybePromise<void>
  /**
   * One atomic step: is the key known? else next seq, append, trim, fold, renew the expiry, hand out.
   * @param create open the room where it does not exist; otherwise that is `ROOM_NOT_FOUND`
   * @returns what became of it, or `ROOM_CLOSED`, or `ID_CONFLICT` where its key was used for something else
   */
  publish: (roomId: string, draft: EventDraft, create: boolean) => MaybePromise<Published | Failure>
  /** @returns the room as it is now, with the entries after `from` (none where it is left out), or `ROOM_NOT_FOUND`, or `ROOM_CLOSED` */
  read: (roomId: string, from?: ReadFrom) => MaybePromise<RoomView | Failure>
  /**
   * Rooms from the oldest to the newest.
   * @param cursor where the page before ended
   * @returns at most `limit` rooms, and the cursor of the next page where there may be one
   */
  listRooms: (limit: number, cursor?: number) => Promise<{ rooms: RoomSummary[], cursor?: number } | Failure>
  /** Ends a room for everyone. It is remembered for a retention, so that a late event is told `ROOM_CLOSED` instead of opening it again. */
  closeRoom: (roomId: string) => Promise<void | Failure>
  /** What is due by the clock: ended rooms are told and forgotten. Called about once a second. */
  tick: () => Promise<void>
  /** Whether rooms can be read and written; true for a broker that lives in this process. */
  ready: () => boolean
  /** Why they cannot, in words without a host or a name; undefined while they can. */
  unreadyReason: () => string | undefined
  close: () => Promise<void>
}
