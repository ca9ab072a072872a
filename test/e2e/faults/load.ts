// The load of a fault test: rooms with a publisher on one node and watchers on the other, at a steady rate, until everything has settled.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../until.js'
import { RECOVERY, type Node } from './cluster.js'
import type { Journal } from './journal.js'
import { Publisher } from './publisher.js'
import { Watcher } from './watcher.js'

export interface LoadOptions {
  readonly journal: Journal
  readonly nodes: readonly Node[]
  /** Prefix of the names of the rooms. */
  readonly prefix: string
  readonly rooms: number
  /** Events per second, over all rooms. */
  readonly rate: number
  readonly random: () => number
}

const TICK = 20

export class Load {
  readonly publishers: Publisher[] = []
  readonly watchers: Watcher[] = []
  readonly #options: LoadOptions
  #timer: NodeJS.Timeout | undefined

  constructor (options: LoadOptions) {
    this.#options = options
    for (let n = 0; n < options.rooms; n++) {
      const room = `${options.prefix}-${n}`
      this.publishers.push(new Publisher(this.#device(`phone ${room}`, room, n)))
      this.watchers.push(new Watcher(this.#device(`shop ${room}`, room, n + 1)))
      // Some rooms also have a watcher on the publisher's node: both nodes have one order.
      if (n % 3 === 0) this.watchers.push(new Watcher(this.#device(`desk ${room}`, room, n)))
    }
  }

  /** Connects every device and begins to publish. */
  async start (): Promise<void> {
    for (const device of [...this.watchers, ...this.publishers]) device.connect()
    await until('every watcher has joined', () => this.watchers.every(({ joins }) => joins > 0), RECOVERY)
    this.resume()
  }

  resume (): void {
    const { rate, random } = this.#options
    let owed = 0
    this.#timer ??= setInterval(() => {
      for (owed += rate * TICK / 1000; owed >= 1; owed--) this.publishers[Math.floor(random() * this.publishers.length)]!.publish()
    }, TICK)
  }

  pause (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Publishes one more event by each publisher. */
  publishOnce (): void { for (const publisher of this.publishers) publisher.publish() }

  /**
   * Adds a watcher, which connects at once and then counts like the others.
   * @param n the number of its room, from 0
   * @param urls addresses to connect to, if not those of the others
   */
  watch (name: string, n: number, urls: readonly string[] = this.#options.nodes.map(({ url }) => url)): Watcher {
    const room = `${this.#options.prefix}-${n}`
    const watcher = new Watcher({ ...this.#device(`${name} ${room}`, room, n), urls })
    this.watchers.push(watcher)
    watcher.connect()
    return watcher
  }

  /** Publishes this many events in one room, as fast as they are acknowledged. */
  async burst (n: number, size: number, more?: object): Promise<void> {
    const publisher = this.publishers[n]!
    let left = size
    await until('the burst is sent', () => {
      while (left > 0 && publisher.publish(more)) left--
      return left === 0 && publisher.waiting === 0
    })
  }

  /** Stops publishing, and waits until every event sent is acknowledged. */
  async drain (): Promise<void> {
    this.pause()
    await until('every event is acknowledged', () => this.publishers.every(({ waiting }) => waiting === 0), RECOVERY)
      .catch((error: Error) => { throw new Error(`${error.message}; left: ${this.publishers.filter(({ waiting }) => waiting > 0).map(({ name, waiting }) => `${name} ${waiting}`).join(', ')}`) })
  }

  /** Stops publishing, and waits until an earlier fault has no further effect: no device waits, and none was closed for a second. */
  async calm (): Promise<void> {
    await this.drain()
    await until('every device has stayed connected for a second', () => [...this.publishers, ...this.watchers].every(({ steadyFor }) => steadyFor > 1_000), 2 * RECOVERY)
    // A publisher that was closed joins its room again only with its next event.
    this.publishOnce()
    await this.drain()
  }

  /**
   * Lets everything settle: every event acknowledged, a last event in each room, every watcher at the end of its log; then each watcher reads again.
   * @returns time until the watchers were at the end of their logs, ms
   */
  async settle (): Promise<number> {
    const { journal, rooms, prefix } = this.#options
    await this.drain()
    for (const publisher of this.publishers) publisher.finish()
    await this.drain()
    journal.mark('settling')
    // Readers read the whole log, as a new member would.
    const readers = new Map(Array.from({ length: rooms }, (_, n) => [`${prefix}-${n}`, new Watcher(this.#device(`reader ${prefix}-${n}`, `${prefix}-${n}`, n))]))
    try {
      for (const reader of readers.values()) reader.connect()
      await until('every room can be read', () => [...readers.values()].every(({ joins }) => joins > 0), RECOVERY)
      const behind = () => this.watchers.filter((watcher) => !watcher.isAt(readers.get(watcher.room)!))
      const took = await until('every watcher is at the end of its log', () => behind().length === 0, RECOVERY).catch(() => RECOVERY)
      for (const { name: by, room, epoch = '', seq } of behind()) {
        const log = readers.get(room)!
        journal.write({ what: 'behind', by, room, epoch, seq, log: { epoch: log.epoch ?? '', seq: log.seq } })
      }
      const joins = new Map(this.watchers.map((watcher) => [watcher, watcher.joins]))
      for (const watcher of this.watchers) watcher.join()
      await until('every watcher has read again', () => this.watchers.every((watcher) => watcher.joins > joins.get(watcher)!), RECOVERY)
      await sleep(100)
      return took
    } finally {
      for (const reader of readers.values()) reader.stop()
    }
  }

  stop (): void {
    this.pause()
    for (const device of [...this.publishers, ...this.watchers]) device.stop()
  }

  #device (name: string, room: string, home: number) {
    const { nodes, journal, random } = this.#options
    return { name, room, urls: nodes.map(({ url }) => url), home: home % nodes.length, journal, random }
  }
}
