// The log of one room in memory: append, bounded length, read after a position. Pure data, no clock and no sockets.
import { eventFrame, readEvent, isSameEvent, type DraftKey, type EventDraft } from '../event-draft.js'
import { payloadOf, type FrameWriter, type WireFrame } from '../../websocket/frame-writer.js'
import type { LogEntry, ReadFrom } from '../broker.js'
import { FrameRing } from './frame-ring.js'

/** A logged event as the lookup returns it: its position, and the values of the first answer. */
export interface Known { readonly seq: number, readonly timestamp: number, readonly receivers: number }

/** A logged event as a journal keeps it. */
export interface KeptEvent { readonly frame: WireFrame, readonly receivers: number, readonly keys: readonly DraftKey[] | undefined }

/** A bounded, gapless run of a room's latest events. Deduplication keys are remembered for exactly as long as their entries. */
export class EventLog {
  seq: number
  /** Created with the first event: many rooms wait for one. */
  #frames: FrameRing | undefined
  readonly #writer: FrameWriter
  /** Sender, number of receivers and deduplication keys of each kept event, at index (seq - 1) modulo the size. */
  readonly #origins: Array<string | undefined> = []
  readonly #receivers: number[] = []
  /** Created with the first key, as `#seqs` is: many rooms never have one. */
  #keys: Array<readonly DraftKey[] | undefined> | undefined
  /** Sequence number by key name. */
  #seqs: Map<string, number> | undefined

  /**
   * @param epoch identifies this log; positions of another epoch have no meaning here
   * @param size number of entries to keep
   * @param writer encodes the entries
   * @param before number of the last event before this log begins
   */
  constructor (readonly epoch: string, readonly size: number, writer: FrameWriter, before = 0) {
    this.seq = before
    this.#writer = writer
  }

  /**
   * Looks up the draft's deduplication keys.
   * @returns the logged event and the key that matched; `conflict` if the key belongs to a different event; undefined for a new event
   */
  find (draft: EventDraft): { known: Known, key: DraftKey } | 'conflict' | undefined {
    if (!draft.keys || !this.#seqs) return undefined
    for (const key of draft.keys) {
      const seq = this.#seqs.get(key.name)
      if (seq === undefined) continue
      // Repetitions are rare: the logged event is parsed on demand, and nothing besides the log is kept for the comparison.
      const logged = readEvent(payloadOf(this.#frames!.get(seq)).toString())
      if (!isSameEvent(draft, logged, key)) return 'conflict'
      return { known: { seq, timestamp: logged.timestamp, receivers: this.#receivers[this.#placeOf(seq)]! }, key }
    }
    return undefined
  }

  /**
   * Assigns the next seq to the event, stores it, and drops the entry that no longer fits the log's size.
   * @param receivers number of receivers, kept for the answer to a repetition
   */
  append (draft: EventDraft, receivers = 0): LogEntry {
    const seq = ++this.seq
    const { keys, origin } = draft
    const frame = eventFrame(draft, seq, this.#writer)
    this.#keep(seq, frame, receivers, keys)
    this.#origins[this.#placeOf(seq)] = origin
    return { epoch: this.epoch, seq, frame, origin }
  }

  /** Stores the next event of an earlier process. Its origin is not known any more. */
  restore ({ frame, receivers, keys }: KeptEvent): void { this.#keep(++this.seq, frame, receivers, keys) }

  /** Returns the retained events, from the oldest. */
  kept (): KeptEvent[] {
    const events: KeptEvent[] = []
    for (let seq = this.seq - this.#length + 1; seq <= this.seq; seq++) {
      const place = this.#placeOf(seq)
      events.push({ frame: this.#frames!.get(seq), receivers: this.#receivers[place]!, keys: this.#keys?.[place] })
    }
    return events
  }

  #keep (seq: number, frame: WireFrame, receivers: number, keys: readonly DraftKey[] | undefined): void {
    const frames = this.#frames ??= new FrameRing(this.size, seq - 1)
    frames.push(frame)
    const place = this.#placeOf(seq)
    this.#receivers[place] = receivers
    if (keys || this.#keys) this.#keepKeys(seq, place, keys)
  }

  #keepKeys (seq: number, place: number, keys: readonly DraftKey[] | undefined): void {
    const kept = this.#keys ??= []
    const seqs = this.#seqs ??= new Map()
    for (const { name } of kept[place] ?? []) seqs.delete(name)
    for (const { name } of keys ?? []) seqs.set(name, seq)
    kept[place] = keys
  }

  /**
   * Reads the entries after a position. `recovered` is true only if the log holds an unbroken run from `seq + 1` to the end of the same epoch; otherwise the
   * whole retained log is returned.
   */
  readAfter ({ epoch, seq }: ReadFrom): { recovered: boolean, entries: LogEntry[] } {
    const last = this.seq - this.#length
    const sameLog = epoch === this.epoch || (epoch === undefined && seq === 0)
    const recovered = sameLog && seq >= last && seq <= this.seq
    const entries: LogEntry[] = []
    for (let n = (recovered ? seq : last) + 1; n <= this.seq; n++) entries.push(this.#entry(n))
    return { recovered, entries }
  }

  /** Releases the log's memory. The log must not be used afterwards. */
  end (): void { this.#frames?.end() }

  /** Number of kept events. */
  get #length (): number { return this.#frames?.length ?? 0 }

  #entry (seq: number): LogEntry { return { epoch: this.epoch, seq, frame: this.#frames!.get(seq), origin: this.#origins[this.#placeOf(seq)] } }

  #placeOf (seq: number): number { return (seq - 1) % this.size }
}
