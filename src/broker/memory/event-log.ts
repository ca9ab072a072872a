// The log of one room in memory: append, bounded length, read after a position. Pure data, no clock and no sockets.
import { eventFrame, readEvent, isSameEvent, type DraftKey, type EventDraft } from '../event-draft.js'
import { payloadOf } from '../../websocket/frame-writer.js'
import type { LogEntry, ReadFrom } from '../broker.js'
import { FrameRing } from './frame-ring.js'

/** What the log knows of an event: its place, and what was answered. */
export interface Known { readonly seq: number, readonly timestamp: number, readonly receivers: number }

/** A bounded, gapless run of a room's latest events. Keys are remembered for exactly as long as their entries. */
export class EventLog {
  seq = 0
  readonly #frames: FrameRing
  /** Of each kept event, at the place of its seq modulo the size: who sent it, how many got it, and by which keys it is known. */
  readonly #origins: Array<string | undefined> = []
  readonly #receivers: number[] = []
  readonly #keys: Array<readonly DraftKey[] | undefined> = []
  /** The seq that each key named first. Many a room never has one. */
  #seqs: Map<string, number> | undefined

  /**
   * @param epoch names this log; positions of another epoch mean nothing here
   * @param size how many entries are kept
   */
  constructor (readonly epoch: string, readonly size: number) { this.#frames = new FrameRing(size) }

  /**
   * Whether the log knows the event already.
   * @returns what it knows, and by which key; or `conflict` where the key named something else; or undefined for a new event
   */
  find (draft: EventDraft): { known: Known, key: DraftKey } | 'conflict' | undefined {
    if (!draft.keys || !this.#seqs) return undefined
    for (const key of draft.keys) {
      const seq = this.#seqs.get(key.name)
      if (seq === undefined) continue
      // Repetitions are rare: what was said is read from the log then, and nothing is kept of it besides.
      const logged = readEvent(payloadOf(this.#frames.get(seq)).toString())
      if (!isSameEvent(draft, logged, key)) return 'conflict'
      return { known: { seq, timestamp: logged.timestamp, receivers: this.#receivers[this.#placeOf(seq)]! }, key }
    }
    return undefined
  }

  /**
   * Gives the event the next seq, keeps it, and drops what is beyond the log's size.
   * @param receivers how many get it, for the answer to a repetition
   */
  append (draft: EventDraft, receivers = 0): LogEntry {
    const seq = ++this.seq
    const { keys, origin } = draft
    const frame = eventFrame(draft, seq)
    this.#frames.push(frame)
    const place = this.#placeOf(seq)
    const forgotten = this.#keys[place]
    if (forgotten) for (const { name } of forgotten) this.#seqs!.delete(name)
    if (keys) {
      this.#seqs ??= new Map()
      for (const { name } of keys) this.#seqs.set(name, seq)
    }
    this.#origins[place] = origin
    this.#receivers[place] = receivers
    this.#keys[place] = keys
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

  /** Gives up its memory. Nothing may be asked of it after that. */
  end (): void { this.#frames.end() }

  #entry (seq: number): LogEntry { return { epoch: this.epoch, seq, frame: this.#frames.get(seq), origin: this.#origins[this.#placeOf(seq)] } }

  #placeOf (seq: number): number { return (seq - 1) % this.size }
}
