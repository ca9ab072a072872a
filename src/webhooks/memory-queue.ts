// MemoryQueue: deliveries in this process's memory, which are lost with the process. The model for the contract suite.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clocks } from '../clock.js'
import type { Failure } from '../errors.js'
import type { DeliveryStatus, WebhookDelivery } from '../protocol/rest-deliveries.js'
import { ALREADY_DELIVERED, describe, UNKNOWN_DELIVERY } from './delivery.js'
import { MAX_AT_ONCE, MAX_DELIVERED, MAX_DISABLED, MAX_GIVEN_UP, type Delivery, type DeliveryQueue, type FirstDelivery, type WorkOnRoom } from './delivery-queue.js'

/** Deliveries that wait. Beyond it the oldest one is dropped. */
export const MAX_WAITING = 50_000

/** Time after which a room is tried again whose work has failed by a bug, ms. */
const AFTER_BUG = 60_000

export interface MemoryQueueOptions extends Clocks {
  /** Called for each delivery that was dropped. */
  readonly onDropped: (delivery: Delivery) => void
  /** Called with the error of `work`, which is a bug. */
  readonly onFailed: (error: unknown) => void
  /** Default: {@link MAX_WAITING}. */
  readonly maxWaiting?: number | undefined
}

interface Entry {
  delivery: Delivery
  /** Time of the next try, ms by the monotonic clock. */
  dueAt: number
}

/** Its length is the interface of a queue, with a short method for each of its promises. */
export class MemoryQueue implements DeliveryQueue {
  readonly #options: MemoryQueueOptions
  /** All that wait, by their id, the oldest first; and those of each room, in order. */
  readonly #waiting = new Map<string, Entry>()
  readonly #rooms = new Map<string, Entry[]>()
  readonly #delivered = new Map<string, WebhookDelivery>()
  readonly #givenUp = new Map<string, { readonly delivery: Delivery, readonly status: DeliveryStatus }>()
  readonly #disabled = new Set<string>()
  /** Rooms with a delivery that is due, rooms at work, rooms that were woken meanwhile, and the times at which others are due. */
  readonly #ready = new Set<string>()
  readonly #busy = new Map<string, Promise<void>>()
  readonly #wokenAgain = new Set<string>()
  readonly #dueAt = new Map<string, number>()
  #work: WorkOnRoom | undefined

  constructor (options: MemoryQueueOptions) { this.#options = options }

  start (work: WorkOnRoom): void {
    this.#work = work
    this.#workOnReady()
  }

  /** Takes a delivery in, as the last of its room. */
  add (delivery: Delivery): void {
    const { maxWaiting = MAX_WAITING, onDropped } = this.#options
    if (this.#waiting.size >= maxWaiting) {
      const { delivery: oldest } = this.#waiting.values().next().value!
      this.#remove(oldest)
      onDropped(oldest)
    }
    this.#insert(delivery, 'push')
  }

  first (roomId: string): FirstDelivery | undefined {
    const entry = this.#rooms.get(roomId)?.[0]
    return entry && { delivery: entry.delivery, wait: entry.dueAt - this.#options.monotonic() }
  }

  postpone (delivery: Delivery, delay: number): void {
    const entry = this.#waiting.get(delivery.id)
    if (entry) Object.assign(entry, { delivery, dueAt: this.#options.monotonic() + delay })
  }

  settle (delivery: Delivery, status: Exclude<DeliveryStatus, 'pending'>): void {
    this.#remove(delivery)
    if (status === 'delivered') keep(this.#delivered, delivery.id, describe(delivery, status), MAX_DELIVERED)
    else keep(this.#givenUp, delivery.id, { delivery, status }, MAX_GIVEN_UP)
  }

  discard (delivery: Delivery): void { this.#remove(delivery) }

  isDisabled (url: string): boolean { return this.#disabled.has(url) }

  setDisabled (url: string, disabled: boolean): void {
    this.#disabled.delete(url)
    if (!disabled) return
    this.#disabled.add(url)
    if (this.#disabled.size > MAX_DISABLED) this.#disabled.delete(this.#disabled.values().next().value!)
  }

  async list (limit: number): Promise<WebhookDelivery[]> {
    const waiting = [...this.#waiting.values()].map(({ delivery }) => this.#describeWaiting(delivery))
    const over = [...this.#givenUp.values()].map(({ delivery, status }) => describe(delivery, status))
    return [...waiting, ...over, ...this.#delivered.values()].sort((a, b) => b.timestamp - a.timestamp).slice(0, limit)
  }

  async retry (id: string): Promise<WebhookDelivery | Failure> {
    if (this.#delivered.has(id)) return ALREADY_DELIVERED
    const givenUp = this.#givenUp.get(id)
    if (givenUp) {
      this.#givenUp.delete(id)
      this.#insert({ ...givenUp.delivery, manual: true }, 'unshift')
    }
    const entry = this.#waiting.get(id)
    if (!entry) return UNKNOWN_DELIVERY
    const { roomId } = entry.delivery.change
    this.#rooms.get(roomId)![0]!.dueAt = this.#options.monotonic()
    this.#wake(roomId)
    return this.#describeWaiting(entry.delivery)
  }

  async oldest (): Promise<number | undefined> { return this.#waiting.values().next().value?.delivery.change.timestamp }

  tick (): void {
    const now = this.#options.monotonic()
    for (const [roomId, dueAt] of this.#dueAt) if (dueAt <= now) this.#wake(roomId)
  }

  async close (timeout: number): Promise<void> {
    this.#work = undefined
    await Promise.race([Promise.all(this.#busy.values()), sleep(timeout, undefined, { ref: false })])
  }

  #insert (delivery: Delivery, place: 'push' | 'unshift'): void {
    const { id, change: { roomId } } = delivery
    const entry = { delivery, dueAt: this.#options.monotonic() }
    const entries = this.#rooms.get(roomId)
    if (entries) entries[place](entry)
    else this.#rooms.set(roomId, [entry])
    this.#waiting.set(id, entry)
    this.#wake(roomId)
  }

  #remove ({ id, change: { roomId } }: Delivery): void {
    const entry = this.#waiting.get(id)
    // A delivery that was dropped while it was sent.
    if (!entry) return
    this.#waiting.delete(id)
    const entries = this.#rooms.get(roomId)!
    entries.splice(entries.indexOf(entry), 1)
    if (entries.length === 0) this.#rooms.delete(roomId)
  }

  #wake (roomId: string): void {
    if (this.#busy.has(roomId)) this.#wokenAgain.add(roomId)
    else this.#ready.add(roomId)
    this.#workOnReady()
  }

  #workOnReady (): void {
    for (const roomId of this.#ready) {
      if (!this.#work || this.#busy.size >= MAX_AT_ONCE) return
      this.#ready.delete(roomId)
      this.#dueAt.delete(roomId)
      this.#busy.set(roomId, this.#workOn(roomId, this.#work).catch(this.#options.onFailed))
    }
  }

  async #workOn (roomId: string, work: WorkOnRoom): Promise<void> {
    let wait: number | undefined = AFTER_BUG
    try {
      wait = await work(roomId)
    } finally {
      if (wait !== undefined) this.#dueAt.set(roomId, this.#options.monotonic() + wait)
      this.#busy.delete(roomId)
      if (this.#wokenAgain.delete(roomId)) this.#ready.add(roomId)
      this.#workOnReady()
    }
  }

  #describeWaiting (delivery: Delivery): WebhookDelivery {
    const first = this.first(delivery.change.roomId)!
    return describe(delivery, 'pending', first.delivery.id === delivery.id ? Math.round(this.#options.now() + Math.max(0, first.wait)) : null)
  }
}

/** Adds to a bounded map. */
function keep<T> (map: Map<string, T>, id: string, value: T, bound: number): void {
  map.set(id, value)
  if (map.size > bound) map.delete(map.keys().next().value!)
}
