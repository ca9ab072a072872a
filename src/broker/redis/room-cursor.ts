// The live end of one room on this node: takes entries from two sides (the channel, and our own publishing) and lets each through once, in order.
import type { RoomMember } from '../../protocol/server-frames.js'
import type { LogEntry, Position } from '../broker.js'

/** What becomes of an entry: it is next; it was there already; or something before it is missing. */
export type Verdict = 'next' | 'known' | 'gap'

export class RoomCursor implements Position {
  epoch = ''
  /** The last entry that was let through. */
  seq = 0
  /** A later entry than that is known to be in the log. */
  highestKnownSeq = 0
  /** What came in before the room was opened; undefined from then on. */
  preOpenBuffer: LogEntry[] | undefined = []
  /** When the room ends, ms by the monotonic clock, where it has a deadline. */
  deadline = Infinity
  /** A read is under way to fill a gap, and whether another gap showed meanwhile. */
  catchingUp: 'no' | 'yes' | 'again' = 'no'
  /** A gap could not be filled yet. */
  needsCatchUp = false
  /** ms by the monotonic clock. */
  checkedAt = 0
  renewedAt = 0
  /** Who is in the room on other nodes, by node. */
  remoteMembers = new Map<string, RoomMember[]>()

  constructor (readonly roomId: string) {}

  /** Something before the end is missing, and nothing that comes by itself may show it. */
  get hasGap (): boolean { return this.needsCatchUp || this.highestKnownSeq > this.seq }

  /** From here on, whatever was before. */
  begin ({ epoch, seq }: Position): void {
    this.epoch = epoch
    this.seq = seq
    this.highestKnownSeq = 0
    this.preOpenBuffer = undefined
  }

  /** Whether the end is where the log's is. */
  isAt ({ epoch, seq }: Position): boolean { return epoch === this.epoch && seq === this.seq }

  advance ({ epoch, seq }: Position): Verdict {
    if (epoch !== this.epoch) return 'gap'
    if (seq <= this.seq) return 'known'
    if (seq > this.seq + 1) return 'gap'
    this.seq = seq
    return 'next'
  }
}
