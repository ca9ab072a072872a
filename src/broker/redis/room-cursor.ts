// Cursor of one subscribed room: receives entries from a channel and from our own publishes, and passes each on once and in order.
import type { RoomMember } from '../../protocol/server-frames.js'
import type { LogEntry, Position } from '../broker.js'

/** Entries that wait for an earlier one. Beyond it they are read from the log. */
export const MAX_HELD = 256

/** Verdict on an entry. `next`: deliver it. `seen`: it was delivered before. `gap`: an entry before it is missing, or its epoch is another one. */
export type Verdict = 'next' | 'seen' | 'gap'

export class RoomCursor implements Position {
  epoch = ''
  /** Sequence number of the last delivered entry. */
  seq = 0
  /** Highest sequence number of an entry that waits for an earlier one; 0 if there was none. */
  highestKnownSeq = 0
  /** Our own events that Redis has not answered. They do not come from the channel, so that an entry behind one of them waits for its answer. */
  unanswered = 0
  /** True if an entry from the channel waits for the answer to an event of ours. */
  awaitsAnswer = false
  /** Entries that wait for an earlier one, by number. Created with the first one: most rooms never have one. */
  #held: Map<number, LogEntry> | undefined
  /** Entries received before the room was opened in Redis, each from the channel or as the answer to an event of ours (`isOwn`); undefined afterwards. */
  preOpenBuffer: Array<{ readonly entry: LogEntry, readonly isOwn: boolean }> | undefined = []
  /** Deadline of the payment link by the clock of Redis, ms since the epoch; 0 if there is none. */
  deadline = 0
  /** The deadline, and the end of the room, ms by the monotonic clock; Infinity without a deadline. */
  expiresAt = Infinity
  endsAt = Infinity
  /** The deadline whose PAYMENT_EXPIRED this node has published. */
  expired = 0
  /** `reading`: a read is in flight to fill a gap. `again`: another gap appeared meanwhile. */
  catchingUp: 'idle' | 'reading' | 'again' = 'idle'
  /** True if a gap could not be filled yet. */
  needsCatchUp = false
  /** Times of the last check and the last renewal, ms by the monotonic clock. */
  checkedAt = 0
  renewedAt = 0
  /** Number of the furthest milestone that is noted in Redis, as far as this node knows; see src/payment/milestones.ts. */
  furthest = 0
  /** Time until which the room is in the set of due rooms, ms by the monotonic clock; see due-rooms.ts. */
  dueUntil = -Infinity
  /** Members on other nodes, by node. */
  remoteMembers = new Map<string, RoomMember[]>()

  constructor (readonly roomId: string) {}

  /** True if entries are missing and possibly no later message reveals the gap. */
  get hasGap (): boolean { return this.needsCatchUp || this.highestKnownSeq > this.seq }

  /** Continues from a position, regardless of the previous one. */
  begin ({ epoch, seq }: Position): void {
    this.epoch = epoch
    this.seq = seq
    this.highestKnownSeq = 0
    this.awaitsAnswer = false
    this.furthest = 0
    this.dueUntil = -Infinity
    this.#held = undefined
    this.preOpenBuffer = undefined
  }

  /** Keeps an entry until those before it have arrived. */
  hold (entry: LogEntry): void {
    this.highestKnownSeq = Math.max(this.highestKnownSeq, entry.seq)
    const held = this.#held ??= new Map<number, LogEntry>()
    if (held.size < MAX_HELD) held.set(entry.seq, entry)
  }

  /** @returns the entry that is next now, if it was held */
  takeHeld (): LogEntry | undefined {
    const entry = this.#held?.get(this.seq + 1)
    if (entry) this.#held!.delete(++this.seq)
    // Nothing waits any more; what is left was read from the log meanwhile.
    else if (this.highestKnownSeq <= this.seq) this.#held = undefined
    return entry
  }

  /** @param left time from `at` until the deadline, ms. @param late time for late results after it, ms */
  setDeadline (deadline: number, at: number, left: number, late: number): void {
    this.deadline = deadline
    this.expiresAt = at + left
    this.endsAt = this.expiresAt + late
  }

  /** True if the cursor stands at the given position. */
  isAt ({ epoch, seq }: Position): boolean { return epoch === this.epoch && seq === this.seq }

  /** True if the entry at a position was delivered before. */
  hasSeen ({ epoch, seq }: Position): boolean { return epoch === this.epoch && seq <= this.seq }

  advance ({ epoch, seq }: Position): Verdict {
    if (epoch !== this.epoch) return 'gap'
    if (seq <= this.seq) return 'seen'
    if (seq > this.seq + 1) return 'gap'
    this.seq = seq
    return 'next'
  }
}
