// The feed of one process, in its memory. It ends with the process, unless the next one goes on where it has stopped.
import type { RoomChange } from '../broker/broker.js'
import { FEED_SIZE, isPosition, PAGE_SIZE, type ChangeFeed, type FeedEntry, type FeedPage } from './feed.js'
import { notificationOf } from './notification.js'

/** A feed at the end of its process: the changes that it keeps, and the number of the last one. */
export interface SavedFeed { readonly start: number, readonly last: number, readonly changes: readonly RoomChange[] }

export class MemoryFeed implements ChangeFeed {
  /** First number of all positions: a position of an earlier process has another one. */
  readonly #start: number
  /** Kept changes, the one with the number n at index n modulo FEED_SIZE. */
  readonly #changes: RoomChange[] = []
  readonly #listeners = new Set<(entry: FeedEntry) => void>()
  #last = 0

  /** @param start time of the start, ms since the epoch @param saved feed of an earlier process, after which nothing has changed */
  constructor (start: number, saved?: SavedFeed) {
    this.#start = saved?.start ?? start
    this.#last = saved?.last ?? 0
    for (const [i, change] of (saved?.changes ?? []).entries()) this.#changes[(this.#last - saved!.changes.length + 1 + i) % FEED_SIZE] = change
  }

  save (): SavedFeed {
    const count = Math.min(this.#last, FEED_SIZE)
    const changes = Array.from({ length: count }, (_, i) => this.#changes[(this.#last - count + 1 + i) % FEED_SIZE]!)
    return { start: this.#start, last: this.#last, changes: changes.map(({ webhookUrl: _url, ...change }) => change) }
  }

  push (change: RoomChange): void {
    this.#changes[++this.#last % FEED_SIZE] = change
    // Encoded for readers alone: most servers have none.
    if (this.#listeners.size === 0) return
    const entry = this.#entry(this.#last)
    for (const listener of this.#listeners) listener(entry)
  }

  /** Does nothing: a process does not lose its own changes. */
  pushGap (): void {}

  read (after?: string): FeedPage {
    if (after === undefined) return { isComplete: true, entries: [], end: this.#idOf(this.#last) }
    const number = isPosition(after) && after.startsWith(`${this.#start}-`) ? Number(after.slice(after.indexOf('-') + 1)) : -1
    if (number < this.#last - FEED_SIZE || number < 0 || number > this.#last) return { isComplete: false, entries: [], end: this.#idOf(this.#last) }
    const end = Math.min(number + PAGE_SIZE, this.#last)
    return { isComplete: true, entries: Array.from({ length: end - number }, (_, i) => this.#entry(number + 1 + i)), end: this.#idOf(end) }
  }

  follow (listener: (entry: FeedEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  close (): void { this.#listeners.clear() }

  #entry (number: number): FeedEntry { return { id: this.#idOf(number), text: JSON.stringify(notificationOf(this.#changes[number % FEED_SIZE]!)) } }

  #idOf (number: number): string { return `${this.#start}-${number}` }
}
