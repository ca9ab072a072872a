// The Broker interface: room logs and their fan-out. Types, and one message; memory/memory-broker.ts and redis/redis-broker.ts implement it.
import type { MaybePromise } from '../maybe-promise.js'
import type { Failure } from '../errors.js'
import type { EventDraft } from './event-draft.js'
import type { WireFrame } from '../websocket/frame-writer.js'
import type { Furthest } from '../payment/milestones.js'
import type { Link, Terms } from '../payment/state.js'
import type { PaymentState, PaymentStatus } from '../protocol/payment-state.js'
import type { RoomSort } from '../protocol/rest-rooms.js'
import type { RoomClosed, RoomMember } from '../protocol/server-frames.js'

/** A position in a room's log. `seq` counts 1, 2, 3 … within one `epoch`; a log that was lost and started again has a new epoch. */
export interface Position { readonly epoch: string, readonly seq: number }

/** One encoded event of a room's log. Every member gets the same bytes, live or in a replay. */
export interface LogEntry extends Position {
  /** The encoded WebSocket frame; `payloadOf` returns the message in it. */
  readonly frame: WireFrame
  /** Client id of the sender, which does not receive its own event live. */
  readonly origin?: string | undefined
}

/** Outcome of publish(). */
export interface Published extends Position {
  /** True if this call appended the event. False if the log already had it; `seq`, `timestamp` and `receivers` are then those of the first answer. */
  readonly isNew: boolean
  /** True if the log already had the event's own id. False for a repeated HTTP request (Idempotency-Key), which gets its first answer. */
  readonly duplicate: boolean
  /** Time of acceptance, ms since the epoch. */
  readonly timestamp: number
  /** Members of the room on all nodes, without the sender. */
  readonly receivers: number
  /** True if the event changed the payment's state. */
  readonly changed: boolean
}

/** Start and end of a room, ms since the epoch. */
export interface Lifetime {
  readonly createdAt: number
  /** Deadline of the payment link if it has one, otherwise the end of the room if nothing happens: that is postponed while the room has a subscriber. */
  readonly expiresAt: number
}

/** Terms of a room that is created before its first event. */
export interface NewRoom extends Terms {
  /** ms until the link's deadline; if omitted, the room ends when its retention has passed without a subscriber. */
  readonly ttl?: number | undefined
  /** URL that gets the webhooks of this room. */
  readonly webhookUrl?: string | undefined
}

/** Snapshot of a room from one atomic read: the end of its log, the payment's state there, and the requested events. */
export interface RoomView extends Position, Lifetime {
  readonly state: PaymentState
  readonly link: Link | undefined
  /** True if `entries` runs without a gap from the requested position to the end of the log. If false, `entries` is everything that the log retains. */
  readonly recovered: boolean
  readonly entries: readonly LogEntry[]
  /** Members on other nodes. */
  readonly remoteMembers: readonly RoomMember[]
}

/** A room in a listing. */
export interface RoomSummary extends Position, Lifetime {
  readonly roomId: string
  /** Members on other nodes. */
  readonly remoteMembers: readonly RoomMember[]
  readonly state: PaymentState
  readonly link: Link | undefined
  /** ms since the epoch; null before the first event. */
  readonly lastEventAt: number | null
  /** True from the report of a pause of the payer until the next event. */
  readonly isStalled: boolean
}

/** Selects rooms for a listing. A room must pass each filter that is given. */
export interface RoomQuery {
  /** Largest number of rooms of the page. */
  readonly limit: number
  /** The cursor of the previous page, of a query with the same order. */
  readonly cursor?: number | undefined
  /** The rooms that come first, by their starts. Default: `oldest`. */
  readonly sort?: RoomSort | undefined
  readonly statuses?: readonly PaymentStatus[] | undefined
  readonly step?: PaymentState['step'] | undefined
  readonly stalled?: boolean | undefined
  /** Part of the room's id or of the reference of its link, in any case. */
  readonly text?: string | undefined
}

export interface RoomPage { readonly rooms: RoomSummary[], readonly cursor?: number }

/**
 * Change of a room, reported once, by the node on which it happened. `event`: the event of that `type` changed the payment's state. `created`, `closed`: by a backend.
 * `stalled`: nothing has happened for a while although the payer has begun.
 */
export interface RoomChange extends Position {
  readonly cause: 'created' | 'event' | 'stalled' | 'closed'
  readonly roomId: string
  /** Type of the event; only with the cause `event`. */
  readonly type?: string | undefined
  /** ms since the epoch. */
  readonly timestamp: number
  readonly state: PaymentState
  readonly link: Link | undefined
  /** URL that gets the webhooks of the room, if it has one of its own and the broker is in this process; in Redis it is in the outbox. It may hold a secret. */
  readonly webhookUrl?: string | undefined
}

/** A payment that has come further than ever before. */
export interface Advance {
  /** The furthest milestone before, undefined if there was none, and now. */
  readonly from: Furthest | undefined
  readonly to: Furthest
  readonly state: PaymentState
}

/** A payment whose payer has paused: the room's last event, and the step in which the payer is. */
export interface Stall extends Position {
  readonly step: PaymentState['step']
  /** Time of the last event, ms since the epoch. */
  readonly lastEventAt: number
}

/** Position to read after; `seq: 0` reads from the beginning and needs no epoch. */
export interface ReadFrom { readonly epoch?: string | undefined, readonly seq: number }

/** Message of `ROOM_CLOSED` for a device's event after the deadline. */
export const LINK_EXPIRED = 'The payment link has expired.'

/** Reason for the end of a room that still had a subscriber. */
export type CloseCause = RoomClosed['reason']

/** Receives the changes of all rooms, and the events of subscribed ones. A broker has one listener: this node's Rooms. */
export interface BrokerListener {
  /** A log entry: each exactly once, in log order, and usually before its `publish` resolves. */
  entry: (roomId: string, entry: LogEntry) => void
  /** The room has ended, and its subscription with it. */
  closed: (roomId: string, cause: CloseCause) => void
  /** Entries may be missing for good, or the log has started again: every member of the room has lost its position. */
  lost: (roomId: string) => void
  /** A room has changed: once on one of all nodes, whether it is subscribed there or not. */
  changed: (change: RoomChange) => void
  /** A payment has reached a further milestone: once for each, on one of all nodes. */
  advanced: (advance: Advance) => void
  /** The payer has paused: once for each pause, on every node. */
  stalled: (roomId: string, stall: Stall) => void
  /** Members on other nodes, on every change. */
  remoteMembers: (roomId: string, members: readonly RoomMember[]) => void
}

/**
 * Stores rooms and their logs. A room starts with `createRoom`, `subscribe` or a creating `publish`. It ends when a backend closes it, when its
 * retention has passed without a subscriber, or, with a deadline, when the time for late results after it has passed. At the deadline the broker logs PAYMENT_EXPIRED, and
 * from then on takes events of backends only. Any call may fail with `UNAVAILABLE`: the operation may or may not have been executed, and is safe to repeat
 * (`publish`: with the same key). Calls that a device waits for return `MaybePromise`, so that a broker without I/O answers synchronously.
 */
export interface Broker {
  listen: (listener: BrokerListener) => void
  /**
   * Opens a room before its first member joins. The reference of its link becomes a name of the room.
   * @returns the room's lifetime, or `ROOM_EXISTS`
   */
  createRoom: (roomId: string, room?: NewRoom) => Promise<Lifetime | Failure>
  /**
   * Keeps the room alive and delivers its entries to this node's listener. Idempotent. A closed room fails with `ROOM_CLOSED`.
   * @param create open the room if it does not exist (the default); otherwise a missing room fails with `ROOM_NOT_FOUND`
   */
  subscribe: (roomId: string, create?: boolean) => MaybePromise<void | Failure>
  /**
   * Subscribes like `subscribe`, and reads the room in the same step. Only of a broker for which one step is cheaper than two.
   * @returns the room at the start of the subscription; undefined if `read` is to be called
   */
  subscribeAndRead?: (roomId: string, create: boolean) => Promise<RoomView | Failure | undefined>
  /** Stops the delivery. The retention of a room without subscribers starts to run. */
  unsubscribe: (roomId: string) => MaybePromise<void>
  /**
   * Replaces this node's list of the room's members, for the other nodes. The list is kept for as long as this node lives, subscribed or not.
   * @param here all connected members
   * @param away disconnected members within their grace period: other nodes still list them, but they do not count as receivers
   */
  announce: (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]) => MaybePromise<void>
  /**
   * Publishes an event in one atomic step: check the keys, assign the next seq, append, trim, fold the state, renew the expiry, emit the entry.
   * @param create open the room if it does not exist; otherwise a missing room fails with `ROOM_NOT_FOUND`
   * A draft with a `ttl` sets the deadline of the payment link.
   * @returns the outcome, or `ROOM_CLOSED`, also for a device's event after the deadline, or `ID_CONFLICT` if a key was used for a different event
   */
  publish: (roomId: string, draft: EventDraft, create: boolean) => MaybePromise<Published | Failure>
  /**
   * Publishes events in their order and in one atomic step: no other event of the room comes between them. Each is what `publish` makes of it, and a refused one holds
   * up none after it. For events of devices alone.
   * @returns the outcome of each, or the failure of them all
   */
  publishAll: (roomId: string, drafts: readonly EventDraft[], create: boolean) => MaybePromise<ReadonlyArray<Published | Failure> | Failure>
  /** @returns a snapshot of the room with the entries after `from` (none if omitted), or `ROOM_NOT_FOUND`, or `ROOM_CLOSED` */
  read: (roomId: string, from?: ReadFrom) => MaybePromise<RoomView | Failure>
  /**
   * Lists rooms that match, in the order of their starts. It looks at a bounded number of rooms, so that a page may be short, or empty, before the end.
   * @returns at most `limit` rooms, and the cursor of the next page if there may be one
   */
  listRooms: (query: RoomQuery) => Promise<RoomPage | Failure>
  /**
   * Gives a room another name, by which `roomNamed` finds it: the reference of its link, or its payment at a provider. In memory the name is kept for as long as the
   * room, in Redis for 60 days.
   */
  nameRoom: (name: string, roomId: string) => MaybePromise<void>
  /** @returns the room with that name, undefined if there is none, or `UNAVAILABLE` */
  roomNamed: (name: string) => MaybePromise<string | Failure | undefined>
  /** Ends a room for all its members. A closed room is remembered for one retention, so that a late event gets `ROOM_CLOSED` instead of opening the room again. */
  closeRoom: (roomId: string) => Promise<void | Failure>
  /** Does the time-based work: ends and forgets rooms that are due, and notifies the listener. Called about once a second. */
  tick: () => Promise<void>
  /** True if rooms can be read and written; always true for a broker in this process. */
  ready: () => boolean
  /** Reason why rooms cannot be read or written, in words without a host or a name; undefined while they can. */
  unreadyReason: () => string | undefined
  close: () => Promise<void>
}
