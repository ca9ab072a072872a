// The room log and its fan-out: what every broker promises. Interfaces and types alone; memory.ts implements them.
import type { Failure } from '../errors.js'
import type { EventDraft } from '../protocol/codec.js'
import type { PaymentState } from '../protocol/payment-state.js'

/** A place in a room's log. `seq` counts 1, 2, 3 … within one `epoch`; a log that was lost and begun again has another epoch. */
export interface Position { readonly epoch: string, readonly seq: number }

/** One event of a room's log, encoded: the same bytes go to every member, now or in a replay. */
export interface LogEntry {
  readonly seq: number
  readonly frame: Buffer
  /** The client that sent it and does not get it back while it is live. */
  readonly origin?: string | undefined
}

/** What became of a published event. */
export interface Published extends Position {
  /** The room already had this `id`: nothing was appended, `seq` is the first one's. */
  readonly duplicate: boolean
  /** Sockets that it was handed to. */
  readonly receivers: number
  /** The event moved the payment's state. */
  readonly changed: boolean
}

/** One atomic look at a room: where its log ends, the payment's state there, and the events that were asked for. */
export interface RoomView extends Position {
  readonly state: PaymentState
  readonly createdAt: number
  /** When the room ends if nothing happens; it is put off for as long as somebody is in it. */
  readonly expiresAt: number
  /** The log holds an unbroken run from the asked position to its end. When false, `entries` is all that is retained. */
  readonly recovered: boolean
  readonly entries: readonly LogEntry[]
}

/** Where to read from: after a position, or everything since the beginning (`seq: 0` needs no epoch). */
export interface ReadFrom { readonly epoch?: string | undefined, readonly seq: number }

/**
 * Called for each entry of a subscribed room, in the log's order, before `publish` answers.
 * @returns how many sockets it was handed to
 */
export type EntryListener = (roomId: string, entry: LogEntry) => number

/**
 * Keeps rooms and their logs. A room begins with `subscribe` or a creating `publish`, and ends when its retention has
 * passed with no subscriber. Every call may fail with `UNAVAILABLE`, and then nothing was done.
 */
export interface Broker {
  /** Says who receives the entries of subscribed rooms. There is one listener: this node's rooms. */
  listen: (listener: EntryListener) => void
  /** Opens the room where it does not exist, keeps it alive and has its entries delivered here. Calling it again changes nothing. */
  subscribe: (roomId: string) => Promise<void | Failure>
  /** Stops the delivery; the retention of a room without subscribers starts to run. */
  unsubscribe: (roomId: string) => Promise<void>
  /**
   * One atomic step: is the id known? else next seq, append, trim, fold, renew the expiry, hand out.
   * @param create open the room where it does not exist; otherwise that is `ROOM_NOT_FOUND`
   */
  publish: (roomId: string, draft: EventDraft, create: boolean) => Promise<Published | Failure>
  /** @returns the room as it is now, with the entries after `from` (none where it is left out), or undefined where there is no such room */
  read: (roomId: string, from?: ReadFrom) => Promise<RoomView | Failure | undefined>
  /** Whether the broker can be reached; true for one that lives in this process. */
  ready: () => boolean
  close: () => Promise<void>
}
