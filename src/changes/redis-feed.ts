// The feed of all nodes, in a stream of Redis. Each node adds its own changes after they are in the log, and reads those of all nodes while it has readers.
import { setTimeout as sleep } from 'node:timers/promises'
import type { RoomChange } from '../broker/broker.js'
import type { RedisClients } from '../broker/redis/clients.js'
import { Failure } from '../errors.js'
import { FEED_SIZE, isPosition, PAGE_SIZE, type ChangeFeed, type FeedEntry, type FeedPage } from './feed.js'
import { notificationOf } from './notification.js'

/** Position before the first entry. */
const START = '0-0'
/** Longest wait of one read, ms: shorter than the silence after which a connection counts as dead. */
const WAIT = 1_000
/** Pause after a read that failed, and between two tries to add a gap, ms. */
const PAUSE = 250
/** Entries of this node that may be on their way to Redis. Further ones are dropped, which is a gap. */
const MAX_IN_FLIGHT = FEED_SIZE

type Stored = [id: string, fields: string[]]
type Client = ReturnType<RedisClients['open']>

export interface RedisFeedOptions {
  readonly connection: RedisClients
  /** Key of the stream, with a hash tag. */
  readonly key: string
}

export class RedisFeed implements ChangeFeed {
  readonly #options: RedisFeedOptions
  readonly #listeners = new Set<(entry: FeedEntry) => void>()
  #inFlight = 0
  #following = false
  #isClosed = false
  /** Tries to add a gap. It runs only while changes of this node may be missing in the stream and no gap says so: a timer at rest wakes the process for nothing. */
  #repair: NodeJS.Timeout | undefined

  constructor (options: RedisFeedOptions) { this.#options = options }

  push (change: RoomChange): void {
    this.#addGap()
    this.#add('change', JSON.stringify(notificationOf(change)))
  }

  pushGap (): void {
    this.#lose()
    this.#addGap()
  }

  async read (after?: string): Promise<FeedPage | Failure> {
    const { connection: { commands }, key } = this.#options
    if (commands.status !== 'ready') return new Failure('UNAVAILABLE')
    try {
      const [last] = await commands.xrevrange(key, '+', '-', 'COUNT', 1)
      const end = last?.[0] ?? START
      if (after === undefined) return { isComplete: true, entries: [], end }
      const lost = { isComplete: false, entries: [], end }
      if (!isPosition(after)) return lost
      const stored = await commands.xrange(key, after, '+', 'COUNT', PAGE_SIZE + 1)
      // The entry at the position itself must still be there: then none after it was trimmed.
      const isKept = after === START ? await commands.xlen(key) < FEED_SIZE : stored.shift()?.[0] === after
      if (!isKept) return lost
      const entries = stored.slice(0, PAGE_SIZE).map(entryOf)
      return { isComplete: true, entries, end: entries.at(-1)?.id ?? after }
    } catch {
      // The broker reports the trouble of Redis.
      return new Failure('UNAVAILABLE')
    }
  }

  async follow (listener: (entry: FeedEntry) => void): Promise<(() => void) | Failure> {
    const page = await this.read()
    if (page instanceof Failure) return page
    this.#listeners.add(listener)
    if (!this.#following) void this.#followFrom(page.end)
    return () => { this.#listeners.delete(listener) }
  }

  close (): void {
    this.#isClosed = true
    clearInterval(this.#repair)
    this.#listeners.clear()
  }

  /** Notes that a change may be missing in the stream. */
  #lose (): void { if (!this.#isClosed) this.#repair ??= setInterval(() => this.#addGap(), PAUSE).unref() }

  #addGap (): void {
    if (!this.#repair || this.#options.connection.commands.status !== 'ready') return
    clearInterval(this.#repair)
    this.#repair = undefined
    this.#add('gap', '')
  }

  #add (field: 'change' | 'gap', text: string): void {
    const { connection: { commands }, key } = this.#options
    if (commands.status !== 'ready' || this.#inFlight >= MAX_IN_FLIGHT) {
      this.#lose()
      return
    }
    this.#inFlight++
    commands.xadd(key, 'MAXLEN', '~', FEED_SIZE, '*', field, text).catch(() => this.#lose()).finally(() => { this.#inFlight-- })
  }

  /** Emits what follows a position, for as long as there are listeners. Reads on a connection of its own, since the reads block. */
  async #followFrom (start: string): Promise<void> {
    this.#following = true
    const client = this.#options.connection.open()
    client.on('error', () => { /* the read fails, and is tried again */ })
    let position = start
    let hasFailed = false
    while (this.#listeners.size > 0) {
      try {
        if (hasFailed && !await this.#isKept(client, position)) this.#emit({ id: position, text: undefined })
        hasFailed = false
        position = await this.#readNext(client, position)
      } catch {
        hasFailed = true
        await sleep(PAUSE)
      }
    }
    this.#following = false
    client.disconnect()
  }

  /** @returns the position of the last entry that was emitted */
  async #readNext (client: Client, position: string): Promise<string> {
    const reply = await client.xread('COUNT', PAGE_SIZE, 'BLOCK', WAIT, 'STREAMS', this.#options.key, position) as Array<[string, Stored[]]> | null
    const entries = reply?.[0]?.[1] ?? []
    for (const stored of entries) this.#emit(entryOf(stored))
    return entries.at(-1)?.[0] ?? position
  }

  async #isKept (client: Client, position: string): Promise<boolean> {
    return position === START || (await client.xrange(this.#options.key, position, position)).length > 0
  }

  #emit (entry: FeedEntry): void { for (const listener of this.#listeners) listener(entry) }
}

function entryOf ([id, [field, text]]: Stored): FeedEntry { return { id, text: field === 'change' ? text : undefined } }
