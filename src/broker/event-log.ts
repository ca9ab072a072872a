// The log of one room in memory: append, bounded length, read after a position. Pure data, no clock and no sockets.
import { encodeEvent, type EventDraft } from '../protocol/codec.js'
import type { LogEntry, ReadFrom } from './broker.js'

interface StoredEntry extends LogEntry { readonly key?: string | undefined }

/** What the log knows of a key: the entry it named first, what that entry said, and what was answered. */
export interface KnownKey { readonly seq: number, readonly fingerprint: string | undefined, readonly timestamp: number, receivers: number }

/** A bounded, gapless run of a room's latest events. Keys are remembered for exactly as long as their entries. */
export class EventLog {
  seq = 0
  readonly #entries: StoredEntry[] = []
  readonly #keys = new Map<string, KnownKey>()

  /**
   * @param epoch names this log; positions of another epoch mean nothing here
   * @param size how many entries are kept
   */
  constructor (readonly epoch: string, readonly size: number) {}

  /** The entry that this key named first, if it is still in the log. */
  find (key: string): KnownKey | undefined { return this.#keys.get(key) }

  /** Gives the event the next seq, keeps it, and drops what is beyond the log's size. */
  append (draft: EventDraft): LogEntry {
    const { key, fingerprint, timestamp, origin } = draft
    const entry: StoredEntry = { epoch: this.epoch, seq: ++this.seq, frame: encodeEvent(draft, this.seq), origin, key }
    this.#entries.push(entry)
    if (key !== undefined) this.#keys.set(key, { seq: entry.seq, fingerprint, timestamp, receivers: 0 })
    if (this.#entries.length > this.size) {
      const dropped = this.#entries.shift()!
      if (dropped.key !== undefined) this.#keys.delete(dropped.key)
    }
    return entry
  }

  /**
   * Everything after a position. Only an unbroken run from `seq + 1` to the top of the same epoch is a recovery; otherwise
   * the whole retained log is returned, and `recovered` says so.
   */
  readAfter ({ epoch, seq }: ReadFrom): { recovered: boolean, entries: readonly LogEntry[] } {
    const first = this.seq - this.#entries.length + 1
    const sameLog = epoch === this.epoch || (epoch === undefined && seq === 0)
    const recovered = sameLog && seq >= first - 1 && seq <= this.seq
    return { recovered, entries: recovered ? this.#entries.slice(seq - first + 1) : this.#entries.slice() }
  }
}
