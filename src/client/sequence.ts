// Puts log entries in order: drops duplicates, buffers entries that arrive early, and detects gaps.
import type { Position } from './frames.js'

/** Largest number of entries that are buffered while one is missing; further ones are dropped, and fetched by joining again. */
const MAX_AHEAD = 256

/** @typeParam T type of the entries */
export class Sequence<T> {
  /** Position of the last entry that was returned in order. Undefined before the first join. */
  position: Position | undefined
  readonly #ahead = new Map<number, T>()

  constructor (position?: Position) { this.position = position }

  /** True while entries are buffered whose predecessor has not arrived. */
  get isWaiting (): boolean { return this.#ahead.size > 0 }

  /**
   * Sets the position from the reply to a join.
   * @param recovered whether the replayed entries continue from our position without a gap
   * @param replayed number of entries that follow
   */
  start ({ epoch, seq }: Position, recovered: boolean, replayed: number): void {
    const before = this.position
    if (recovered && before?.epoch === epoch) return
    this.#ahead.clear()
    const from = seq - replayed
    // A log that was trimmed past our position is still the same log: entries returned before are not returned again.
    this.position = { epoch, seq: before?.epoch === epoch && before.seq <= seq ? Math.max(before.seq, from) : from }
  }

  /** Takes one entry, and returns the entries that are now in order: none, this one, or this one and those buffered behind it. */
  take (seq: number, entry: T): Array<{ seq: number, entry: T }> {
    if (!this.position || seq <= this.position.seq || this.#ahead.has(seq)) return []
    const { epoch, seq: last } = this.position
    // The missing entry itself is accepted even if the buffer is full.
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
