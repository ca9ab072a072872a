// Puts what arrives into the log's order: nothing twice, nothing early, and a hole is noticed.
import type { Position } from './frames.js'

/** Entries that may wait for one that is missing; with more than that the log is asked again. */
const MAX_AHEAD = 256

/** @typeParam T what is put in order */
export class Sequence<T> {
  /** The last entry that was handed out. Undefined before the first join. */
  position: Position | undefined
  readonly #ahead = new Map<number, T>()

  constructor (position?: Position) { this.position = position }

  /** Something arrived whose predecessor has not. */
  get isWaiting (): boolean { return this.#ahead.size > 0 }

  /**
   * The log goes on from here, as the reply to a join says.
   * @param recovered what follows connects to our position
   * @param replayed how many entries follow
   */
  start ({ epoch, seq }: Position, recovered: boolean, replayed: number): void {
    const before = this.position
    if (recovered && before?.epoch === epoch) return
    this.#ahead.clear()
    const from = seq - replayed
    // A log that was trimmed past our position is still the same log: what we had of it is not told again.
    this.position = { epoch, seq: before?.epoch === epoch && before.seq <= seq ? Math.max(before.seq, from) : from }
  }

  /** Takes one entry, and gives what can be handed out now, in order: nothing, it, or it and what waited for it. */
  take (seq: number, entry: T): Array<{ seq: number, entry: T }> {
    if (!this.position || seq <= this.position.seq || this.#ahead.has(seq)) return []
    const { epoch, seq: last } = this.position
    // The one that all wait for always finds a place.
    if (seq === last + 1 || this.#ahead.size < MAX_AHEAD) this.#ahead.set(seq, entry)
    const ready = []
    for (let next = last + 1; this.#ahead.has(next); next++) {
      ready.push({ seq: next, entry: this.#ahead.get(next)! })
      this.#ahead.delete(next)
      this.position = { epoch, seq: next }
    }
    return ready
  }
}
