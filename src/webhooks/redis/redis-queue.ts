// RedisQueue: deliveries in the outboxes of the rooms, which the scripts of the broker fill; any node sends them.
import { createHash } from 'node:crypto'
import type { RoomChange } from '../../broker/broker.js'
import { OUTBOX_LIFETIME, type OutboxListener } from '../../broker/redis/outbox.js'
import type { RoomRedis } from '../../broker/redis/scripts.js'
import { Failure } from '../../errors.js'
import type { DeliveryStatus, WebhookDelivery } from '../../protocol/rest-deliveries.js'
import { ALREADY_DELIVERED, deliveryOf, describe, UNKNOWN_DELIVERY } from '../delivery.js'
import { MAX_DISABLED, type Delivery, type DeliveryQueue, type FirstDelivery, type WorkOnRoom } from '../delivery-queue.js'
import { deliveryFrom, manualEntry, type StoredDelivery } from './entry.js'
import { roomsWithOutbox } from './outboxes.js'
import { DeliveryRecords } from './records.js'
import { RoomJobs, type RoomJobsOptions } from './room-jobs.js'

/** Interval at which all outboxes are looked for, in case a job was lost, ms; and the time for which one node looks and others do not. */
export const SWEEP_INTERVAL = 600_000
const SWEEP_LOCK = 10_000
/** Rooms that are remembered because it is not known if they have a job; beyond it all outboxes are looked for. */
const MAX_UNCERTAIN = 10_000
/** Records of deliveries that are no longer there which one look for the oldest delivery removes. */
const MAX_STALE = 10

export interface RedisQueueOptions extends Pick<RoomJobsOptions, 'connection' | 'onFailed'> {
  readonly commands: RoomRedis
  /** Prefix of all keys. */
  readonly prefix: string
  /** Clock of the deliveries, ms since the epoch; if omitted, the clock of Redis, which all nodes share. */
  readonly now?: (() => number) | undefined
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Types that are listed. */
  readonly isWanted: (change: RoomChange) => boolean
  /** Called for each change that was dropped from an outbox. */
  readonly onDropped: (roomId: string) => void
}

/** Its length is the interface of a queue, and of the listener to the outbox, with a short method for each. */
export class RedisQueue implements DeliveryQueue, OutboxListener {
  readonly #options: RedisQueueOptions
  readonly #commands: RoomRedis
  readonly #jobs: RoomJobs
  readonly #records: DeliveryRecords
  readonly #disabled: string
  readonly #lock: string
  /** Rooms whose outbox may have no job. */
  readonly #uncertain = new Set<string>()
  #sweepAt = -Infinity
  #mustSweep = false
  #isTicking = false

  constructor (options: RedisQueueOptions) {
    const { commands, prefix, connection, onFailed } = this.#options = options
    // Room ids contain no @, so these keys collide with no room's.
    const key = `${prefix}:{@webhooks}`
    this.#commands = commands
    this.#records = new DeliveryRecords(commands, key)
    this.#disabled = `${key}:disabled`
    this.#lock = `${key}:sweeper`
    // A change that came while its job was ending has found the job still there.
    this.#jobs = new RoomJobs({ connection, prefix: key, onFailed, onEnded: (roomId) => { void this.#wakeUncertain([roomId]) } })
  }

  start (work: WorkOnRoom): void { this.#jobs.start(work, async (roomId) => ((await this.first(roomId))?.wait ?? 1) <= 0) }

  appended (change: RoomChange, dropped: boolean): void {
    const { roomId } = change
    if (dropped) this.#options.onDropped(roomId)
    this.#jobs.wake(roomId).catch(() => this.uncertain(roomId))
    if (this.#options.isWanted(change)) this.#records.save({ delivery: describe(deliveryOf(change, undefined), 'pending') }, { onlyNew: true }).catch(() => {})
  }

  uncertain (roomId: string): void {
    if (this.#uncertain.size < MAX_UNCERTAIN) this.#uncertain.add(roomId)
    else this.#mustSweep = true
  }

  nodeLost (): void { this.#mustSweep = true }

  async first (roomId: string): Promise<FirstDelivery | undefined> {
    const found = await this.#commands.firstDelivery(...this.#keysOf(roomId), this.#now)
    if (!found) return undefined
    const [entry, now, fields] = found
    const delivery = deliveryFrom(roomId, entry)
    const { of, due, tries } = Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]])) as Record<string, string>
    // One that is sent again stands before the one that the tries belong to.
    return delivery.manual || of !== delivery.id ? { delivery, wait: 0 } : { delivery: { ...delivery, ...JSON.parse(tries!) as Partial<Delivery> }, wait: Number(due) - now }
  }

  async postpone (delivery: Delivery, delay: number): Promise<void> {
    const { id, change: { roomId }, attempts, last } = delivery
    const due = await this.#commands.postponeDelivery(...this.#keysOf(roomId), this.#now, delay, OUTBOX_LIFETIME, id, JSON.stringify({ attempts, last }))
    await this.#records.save({ delivery: describe(delivery, 'pending', due) })
  }

  async settle (delivery: Delivery, status: Exclude<DeliveryStatus, 'pending'>): Promise<void> {
    const { entry } = delivery as StoredDelivery
    // Recorded first: one that was given up is kept nowhere else.
    await this.#records.save({ delivery: describe(delivery, status), ...(status !== 'delivered' && { entry }) })
    await this.#removeFirst(delivery)
  }

  async discard (delivery: Delivery): Promise<void> {
    await this.#records.remove(delivery.id)
    await this.#removeFirst(delivery)
  }

  async isDisabled (url: string): Promise<boolean> { return await this.#commands.zscore(this.#disabled, digestOf(url)) !== null }

  async setDisabled (url: string, disabled: boolean): Promise<void> {
    if (!disabled) {
      await this.#commands.zrem(this.#disabled, digestOf(url))
      return
    }
    const [seconds] = await this.#commands.time()
    await this.#commands.zadd(this.#disabled, Number(seconds), digestOf(url))
    const tooMany = await this.#commands.zcard(this.#disabled) - MAX_DISABLED
    if (tooMany > 0) await this.#commands.zrem(this.#disabled, ...await this.#commands.zrange(this.#disabled, '0', String(tooMany - 1)))
  }

  list (limit: number): Promise<WebhookDelivery[] | Failure> { return available(() => this.#records.list(limit)) }

  retry (id: string): Promise<WebhookDelivery | Failure> {
    return available(async () => {
      const record = await this.#records.find(id)
      if (!record) return UNKNOWN_DELIVERY
      const { delivery: { roomId, status }, entry } = record
      if (status === 'delivered') return ALREADY_DELIVERED
      const [outbox, tries] = this.#keysOf(roomId)
      if (entry === undefined) await this.#makeDue(tries)
      else await this.#commands.lpush(outbox, manualEntry({ ...deliveryFrom(roomId, entry), attempts: record.delivery.attempts, last: lastOf(record.delivery) }))
      const delivery = { ...record.delivery, status: 'pending', nextTryAt: await this.#time() } as const
      await this.#records.save({ delivery })
      await this.#jobs.wakeNow(roomId)
      return delivery
    })
  }

  async oldest (): Promise<number | undefined> {
    const oldest = await available(() => this.#oldest())
    return oldest instanceof Failure ? undefined : oldest
  }

  /** Wakes rooms that may have no job; BullMQ wakes those that have become due. */
  async tick (): Promise<void> {
    if (this.#isTicking || this.#commands.status !== 'ready') return
    this.#isTicking = true
    try {
      await this.#wakeUncertain([...this.#uncertain])
      if (this.#mustSweep || this.#sweepAt <= this.#options.monotonic()) await this.#sweep()
    } catch { /* Redis is away: the next tick tries again */ } finally {
      this.#isTicking = false
    }
  }

  close (timeout: number): Promise<void> { return this.#jobs.close(timeout) }

  async #oldest (): Promise<number | undefined> {
    for (let looked = 0; looked < MAX_STALE; looked++) {
      const record = await this.#records.oldest()
      if (!record) return undefined
      const { id, roomId, timestamp } = record.delivery
      if (await this.#commands.exists(this.#keysOf(roomId)[0]) === 1) return timestamp
      // The node that delivered it has died before it could say so.
      await this.#records.remove(id)
    }
    return undefined
  }

  async #makeDue (tries: string): Promise<void> {
    await this.#commands.hset(tries, 'due', 0)
    await this.#commands.pexpire(tries, OUTBOX_LIFETIME)
  }

  async #removeFirst (delivery: Delivery): Promise<void> {
    const { change: { roomId }, manual, entry } = delivery as StoredDelivery
    const [outbox, tries] = this.#keysOf(roomId)
    await Promise.all([this.#commands.lrem(outbox, 1, entry), manual ? undefined : this.#commands.del(tries)])
  }

  async #wakeUncertain (roomIds: readonly string[]): Promise<void> {
    await Promise.all(roomIds.map(async (roomId) => {
      // Before the look: news that come meanwhile count again.
      this.#uncertain.delete(roomId)
      try {
        if (await this.#commands.exists(this.#keysOf(roomId)[0]) === 1) await this.#jobs.wake(roomId)
      } catch {
        // Redis is away.
        this.uncertain(roomId)
      }
    }))
  }

  /** Adds the missing jobs of all outboxes: at the start, after the death of a node, and now and then. */
  async #sweep (): Promise<void> {
    const isFirst = this.#sweepAt === -Infinity
    if (isFirst || await this.#commands.set(this.#lock, 1, 'PX', SWEEP_LOCK, 'NX') === 'OK') {
      for await (const roomIds of roomsWithOutbox(this.#commands, this.#options.prefix)) await Promise.all(roomIds.map((roomId) => this.#jobs.wake(roomId)))
    }
    this.#mustSweep = false
    this.#sweepAt = this.#options.monotonic() + SWEEP_INTERVAL
  }

  get #now (): number | '' { return this.#options.now?.() ?? '' }

  async #time (): Promise<number> {
    const [seconds] = await this.#commands.time()
    return this.#options.now?.() ?? Number(seconds) * 1000
  }

  /** Keys of the outbox and of its tries, on the shard of the room. */
  #keysOf (roomId: string): [outbox: string, tries: string] {
    const outbox = `${this.#options.prefix}:{${roomId}}:outbox`
    return [outbox, `${outbox}:tries`]
  }
}

async function available<T> (read: () => Promise<T>): Promise<T | Failure> {
  try {
    return await read()
  } catch {
    return new Failure('UNAVAILABLE')
  }
}

function lastOf ({ lastStatus: status, lastError: error }: WebhookDelivery): Delivery['last'] {
  return { ...(status !== undefined && { status }), ...(error !== undefined && { error }) }
}

/** Digest of a URL, which may hold a secret. */
function digestOf (url: string): string { return createHash('sha256').update(url).digest('base64url') }
