// The log of one room in memory: append, bounded length, read after a position. Pure data, no clock and no sockets.
import { encodeEvent, type EventDraft } from '../protocol/codec.js'
import type { LogEntry, ReadFrom } from './broker.js'

interface StoredEntry extends LogEntry { readonly id?: string | undefined }

/** What the log knows of an id: the entry it named first, and what that entry said. */
interface KnownId { readonly seq: number, readonly fingerprint: string | undefined }

/** A bounded, gapless run of a room's latest events. Ids are remembered for exactly as long as their entries. */
export class EventLog {
  seq = 0
  readonly #entries: StoredEntry[] = []
  readonly #ids = new Map<string, KnownId>()

  /**
   * @param epoch names this log; positions of another epoch mean nothing here
   * @param size how many entries are kept
   */
  constructor (readonly epoch: string, readonly size: number) {}

  /** The entry that this id named first, if it is still in the log. */
  find (id: string): KnownId | undefined { return this.#ids.get(id) }

  /** Gives the event the next seq, keeps it, and drops what is beyond the log's size. */
  append (draft: EventDraft): LogEntry {
    const entry: StoredEntry = { seq: ++this.seq, frame: encodeEvent(draft, this.seq), origin: draft.origin, id: draft.id }
    this.#entries.push(entry)
    if (draft.id !== undefined) this.#ids.set(draft.id, { seq: entry.seq, fingerprint: draft.fingerprint })
    if (this.#entries.length > this.size) {
      const dropped = this.#entries.shift()!
      if (dropped.id !== undefined) this.#ids.delete(dropped.id)
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
