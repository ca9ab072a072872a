// The log of one room in memory: append, bounded length, read after a position. Pure data, no clock and no sockets.
import { eventText, type DraftKey, type EventDraft } from '../protocol/codec.js'
import type { LogEntry, ReadFrom } from './broker.js'
import { FrameRing } from './frame-ring.js'

/** What the log knows of a key: what was said under it, the entry that it named first, and what was answered. */
export interface Known { readonly fingerprint: string, readonly seq: number, readonly timestamp: number, readonly receivers: number }

/** A bounded, gapless run of a room's latest events. Keys are remembered for exactly as long as their entries. */
export class EventLog {
  seq = 0
  readonly #frames: FrameRing
  /** Who sent each kept event, at the place of its seq modulo the size. */
  readonly #origins: Array<string | undefined> = []
  readonly #keys = new Map<string, Known>()
  /** The names by which each kept event is known, by its seq. */
  readonly #names = new Map<number, readonly string[]>()

  /**
   * @param epoch names this log; positions of another epoch mean nothing here
   * @param size how many entries are kept
   */
  constructor (readonly epoch: string, readonly size: number) { this.#frames = new FrameRing(size) }

  /**
   * Whether the log knows the event already.
   * @returns what it knows, and by which key; or `conflict` where the key named something else; or undefined for a new event
   */
  find ({ keys }: EventDraft): { known: Known, key: DraftKey } | 'conflict' | undefined {
    if (!keys) return undefined
    for (const key of keys) {
      const known = this.#keys.get(key.name)
      if (known) return known.fingerprint === key.fingerprint ? { known, key } : 'conflict'
    }
    return undefined
  }

  /**
   * Gives the event the next seq, keeps it, and drops what is beyond the log's size.
   * @param receivers how many get it, for the answer to a repetition
   */
  append (draft: EventDraft, receivers = 0): LogEntry {
    const seq = ++this.seq
    const { keys, timestamp, origin } = draft
    const frame = this.#frames.push(eventText(draft, seq))
    this.#origins[(seq - 1) % this.size] = origin
    this.#forget(seq - this.size)
    if (keys) {
      for (const { name, fingerprint } of keys) this.#keys.set(name, { fingerprint, seq, timestamp, receivers })
      this.#names.set(seq, keys.map(({ name }) => name))
    }
    return { epoch: this.epoch, seq, frame, origin }
  }

  /**
   * Everything after a position. Only an unbroken run from `seq + 1` to the top of the same epoch is a recovery; otherwise
   * the whole retained log is returned, and `recovered` says so.
   */
  readAfter ({ epoch, seq }: ReadFrom): { recovered: boolean, entries: LogEntry[] } {
    const last = this.seq - this.#frames.length
    const sameLog = epoch === this.epoch || (epoch === undefined && seq === 0)
    const recovered = sameLog && seq >= last && seq <= this.seq
    const entries: LogEntry[] = []
    for (let n = (recovered ? seq : last) + 1; n <= this.seq; n++) entries.push(this.#entry(n))
    return { recovered, entries }
  }

  #entry (seq: number): LogEntry { return { epoch: this.epoch, seq, frame: this.#frames.get(seq), origin: this.#origins[(seq - 1) % this.size] } }

  #forget (seq: number): void {
    const names = this.#names.get(seq)
    if (!names) return
    for (const name of names) this.#keys.delete(name)
    this.#names.delete(seq)
  }
}
