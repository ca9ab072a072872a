// The changes of all rooms as server-sent events (WHATWG HTML §9.2), for one reader: a backend, or an operator's console.
import type { Writable } from 'node:stream'
import { isAfter, PAGE_SIZE, type ChangeFeed, type FeedEntry } from '../changes/feed.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { EventOutput } from './event-output.js'
import type { ManagedSession } from './session-registry.js'

/** New entries that are kept while a reader gets the earlier ones. */
export const MAX_BUFFERED = 10_000

export interface ChangeStreamOptions {
  readonly feed: ChangeFeed
  readonly metrics: Metrics
  /** Maximum bytes queued for a slow reader. */
  readonly maxBytes: number
  /** Does what must precede a write; see `Batch.settle`. */
  readonly settle: () => void
}

export class ChangeStream implements ManagedSession {
  readonly transport = 'stream'
  readonly address: string
  // Event streams have no pongs: a lost reader shows as a broken pipe.
  readonly unansweredPing = 0
  readonly deadline = Infinity
  readonly #output: EventOutput
  readonly #options: ChangeStreamOptions
  /** Position of the last entry that was sent. */
  #position = ''
  /** New entries until the earlier ones are sent; undefined from then on. */
  #buffered: FeedEntry[] | undefined = []
  #unfollow: (() => void) | undefined

  constructor (address: string, output: Writable, options: ChangeStreamOptions) {
    this.address = address
    this.#options = options
    this.#output = new EventOutput({ output, maxBytes: options.maxBytes, settle: options.settle, onTooSlow: () => this.close(CLOSE.TOO_SLOW) })
    output.once('close', () => this.#unfollow?.())
  }

  /**
   * Sends the changes after a position, and then those that come.
   * @param after undefined: only those that come
   * @param onOpen starts the response; called when nothing can refuse it any more
   */
  async open (after: string | undefined, onOpen: () => void): Promise<Failure | undefined> {
    const { feed } = this.#options
    // Follow before reading: an entry between the two would be lost.
    const unfollow = await feed.follow((entry) => this.#onEntry(entry))
    if (unfollow instanceof Failure) return unfollow
    this.#unfollow = unfollow
    const page = await feed.read(after)
    if (page instanceof Failure) return page
    onOpen()
    this.#output.begin()
    this.#position = page.isComplete && after !== undefined ? after : page.end
    if (!page.isComplete) this.#sendGap(page.end)
    // A reader that reconnects before its first change still knows its position.
    else this.#output.write(`event: open\nid: ${this.#position}\ndata: {}\n\n`)
    await this.#catchUp(page.entries)
    return undefined
  }

  ping (): void { this.#output.ping() }

  /** Never called: this stream has no deadline. */
  expire (): void {}

  /** Ends the stream. The client reconnects by itself, with the last position that it received. */
  close (reason: CloseReason): void {
    this.#unfollow?.()
    if (reason !== CLOSE.TOO_SLOW) return this.#output.end()
    this.#options.metrics.slowConsumers.inc({ transport: this.transport })
    this.#output.destroy()
  }

  async #catchUp (first: readonly FeedEntry[]): Promise<void> {
    for (let entries = first; entries.length > 0;) {
      await this.#sendPaced(entries)
      const page = entries.length < PAGE_SIZE ? undefined : await this.#options.feed.read(this.#position)
      // Trimmed meanwhile, or the storage is away: the reader resumes at its position.
      if (page instanceof Failure || page?.isComplete === false) return this.close(CLOSE.RESTARTING)
      entries = page?.entries ?? []
    }
    // Further ones may come while these are sent.
    for (let entries = this.#buffered!; entries.length > 0; entries = this.#buffered) {
      this.#buffered = []
      await this.#sendPaced(entries)
    }
    this.#buffered = undefined
  }

  async #sendPaced (entries: readonly FeedEntry[]): Promise<void> {
    for (const entry of entries) {
      this.#send(entry)
      await this.#output.drained()
    }
  }

  #onEntry (entry: FeedEntry): void {
    if (!this.#buffered) this.#send(entry)
    else if (this.#buffered.length < MAX_BUFFERED) this.#buffered.push(entry)
    else this.close(CLOSE.TOO_SLOW)
  }

  #send ({ id, text }: FeedEntry): void {
    if (text === undefined) return this.#sendGap(id)
    // The end of the earlier entries and the new ones may overlap.
    if (!isAfter(id, this.#position)) return
    this.#position = id
    this.#output.write(`id: ${id}\ndata: ${text}\n\n`)
  }

  #sendGap (position: string): void {
    if (isAfter(position, this.#position)) this.#position = position
    this.#output.write(`event: gap\nid: ${this.#position}\ndata: {}\n\n`)
  }
}
