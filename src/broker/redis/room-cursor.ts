// Cursor of one subscribed room: receives entries from the room's channel and from our own publishes, and passes each on once and in order.
import type { RoomMember } from '../../protocol/server-frames.js'
import type { LogEntry, Position } from '../broker.js'

/** Verdict on an entry. `next`: deliver it. `seen`: it was delivered before. `gap`: an entry before it is missing, or its epoch is another one. */
export type Verdict = 'next' | 'seen' | 'gap'

export class RoomCursor implements Position {
  epoch = ''
  /** Sequence number of the last delivered entry. */
  seq = 0
  /** Highest sequence number that our own publishes returned beyond a gap; 0 if there was none. */
  highestKnownSeq = 0
  /** Entries received before the room was opened in Redis; undefined afterwards. */
  preOpenBuffer: LogEntry[] | undefined = []
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
    this.preOpenBuffer = undefined
  }

  /** @param left time from `at` until the deadline, ms. @param late time for late results after it, ms */
  setDeadline (deadline: number, at: number, left: number, late: number): void {
    this.deadline = deadline
    this.expiresAt = at + left
    this.endsAt = this.expiresAt + late
  }

  /** True if the cursor stands at the given position. */
  isAt ({ epoch, seq }: Position): boolean { return epoch === this.epoch && seq === this.seq }

  advance ({ epoch, seq }: Position): Verdict {
    if (epoch !== this.epoch) return 'gap'
    if (seq <= this.seq) return 'seen'
    if (seq > this.seq + 1) return 'gap'
    this.seq = seq
    return 'next'
  }
}
