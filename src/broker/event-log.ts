// The log of one room in memory: append, bounded length, read after a position. Pure data, no clock and no sockets.
import { encodeEvent, type DraftKey, type EventDraft } from '../protocol/codec.js'
import type { LogEntry, ReadFrom } from './broker.js'

interface StoredEntry extends LogEntry { readonly keys?: readonly DraftKey[] | undefined }

/** What the log knows of a key: the entry that it named first, and what was answered. */
export interface Known { readonly seq: number, readonly timestamp: number, readonly receivers: number }
interface KnownKey { readonly fingerprint: string, readonly known: Known }

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

  /**
   * Whether the log knows the event already.
   * @returns what it knows, and by which key; or `conflict` where the key named something else; or undefined for a new event
   */
  find ({ keys }: EventDraft): { known: Known, key: DraftKey } | 'conflict' | undefined {
    if (!keys) return undefined
    for (const key of keys) {
      const found = this.#keys.get(key.name)
      if (found) return found.fingerprint === key.fingerprint ? { known: found.known, key } : 'conflict'
    }
    return undefined
  }

  /**
   * Gives the event the next seq, keeps it, and drops what is beyond the log's size.
   * @param receivers how many get it, for the answer to a repetition
   */
  append (draft: EventDraft, receivers = 0): LogEntry {
    const { keys, timestamp, origin } = draft
    const entry: StoredEntry = { epoch: this.epoch, seq: ++this.seq, frame: encodeEvent(draft, this.seq), origin, keys }
    this.#entries.push(entry)
    if (keys) {
      const known = { seq: entry.seq, timestamp, receivers }
      for (const { name, fingerprint } of keys) this.#keys.set(name, { fingerprint, known })
    }
    if (this.#entries.length > this.size) for (const { name } of this.#entries.shift()!.keys ?? []) this.#keys.delete(name)
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
