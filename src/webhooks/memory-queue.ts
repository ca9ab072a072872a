// MemoryQueue: deliveries in this process's memory. They are lost with the process, unless it has a store. The model for the contract suite.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clocks } from '../clock.js'
import type { Failure } from '../errors.js'
import type { DeliveryStatus, WebhookDelivery } from '../protocol/rest-deliveries.js'
import { ALREADY_DELIVERED, describe, UNKNOWN_DELIVERY } from './delivery.js'
import {
  MAX_AT_ONCE, MAX_DELIVERED, MAX_DISABLED, MAX_GIVEN_UP,
  type Delivery, type DeliveryQueue, type DeliveryStore, type FirstDelivery, type StoredDeliveries, type WorkOnRoom
} from './delivery-queue.js'

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
  /** Keeps the deliveries beyond the process; it has a delivery before {@link MemoryQueue.add} is called with it. */
  readonly store?: DeliveryStore | undefined
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

  /** Takes over what an earlier process has stored. */
  restore ({ deliveries, disabled }: StoredDeliveries): void {
    const { now, monotonic } = this.#options
    const toMonotonic = monotonic() - now()
    for (const [delivery, { status, due }] of deliveries) {
      if (status === 'pending') this.#insert({ delivery, dueAt: due + toMonotonic }, delivery.manual ? 'unshift' : 'push')
      else this.#givenUp.set(delivery.id, { delivery, status })
    }
    for (const url of disabled) this.#disabled.add(url)
  }

  /** Takes a delivery in, as the last of its room. */
  add (delivery: Delivery): void {
    const { maxWaiting = MAX_WAITING, onDropped, store } = this.#options
    if (this.#waiting.size >= maxWaiting) {
      const { delivery: oldest } = this.#waiting.values().next().value!
      this.#remove(oldest)
      store?.remove(oldest)
      onDropped(oldest)
    }
    this.#insert({ delivery, dueAt: this.#options.monotonic() }, 'push')
  }

  first (roomId: string): FirstDelivery | undefined {
    const entry = this.#rooms.get(roomId)?.[0]
    return entry && { delivery: entry.delivery, wait: entry.dueAt - this.#options.monotonic() }
  }

  postpone (delivery: Delivery, delay: number): void {
    const entry = this.#waiting.get(delivery.id)
    if (!entry) return
    Object.assign(entry, { delivery, dueAt: this.#options.monotonic() + delay })
    this.#options.store?.save(delivery, { status: 'pending', due: this.#options.now() + delay })
  }

  settle (delivery: Delivery, status: Exclude<DeliveryStatus, 'pending'>): void {
    const { store, now } = this.#options
    this.#remove(delivery)
    if (status === 'delivered') {
      keep(this.#delivered, delivery.id, describe(delivery, status), MAX_DELIVERED)
      store?.remove(delivery)
    } else {
      const forgotten = keep(this.#givenUp, delivery.id, { delivery, status }, MAX_GIVEN_UP)
      store?.save(delivery, { status, due: now() })
      if (forgotten) store?.remove(forgotten.delivery)
    }
    // The next one of the room is sent right after this: if the process ended in between, both would be sent again, this one behind a later one.
    store?.flush()
  }

  discard (delivery: Delivery): void {
    this.#remove(delivery)
    this.#options.store?.remove(delivery)
  }

  isDisabled (url: string): boolean { return this.#disabled.has(url) }

  setDisabled (url: string, disabled: boolean): void {
    const { store } = this.#options
    this.#disabled.delete(url)
    store?.setDisabled(url, disabled)
    if (!disabled) return
    this.#disabled.add(url)
    if (this.#disabled.size <= MAX_DISABLED) return
    const oldest = this.#disabled.values().next().value!
    this.#disabled.delete(oldest)
    store?.setDisabled(oldest, false)
  }

  async list (limit: number): Promise<WebhookDelivery[]> {
    const waiting = [...this.#waiting.values()].map(({ delivery }) => this.#describeWaiting(delivery))
    const over = [...this.#givenUp.values()].map(({ delivery, status }) => describe(delivery, status))
    return [...waiting, ...over, ...this.#delivered.values()].sort((a, b) => b.timestamp - a.timestamp).slice(0, limit)
  }

  async retry (id: string): Promise<WebhookDelivery | Failure> {
    const { now, monotonic, store } = this.#options
    if (this.#delivered.has(id)) return ALREADY_DELIVERED
    const givenUp = this.#givenUp.get(id)
    if (givenUp) {
      this.#givenUp.delete(id)
      this.#insert({ delivery: { ...givenUp.delivery, manual: true }, dueAt: monotonic() }, 'unshift')
    }
    const entry = this.#waiting.get(id)
    if (!entry) return UNKNOWN_DELIVERY
    const { roomId } = entry.delivery.change
    const first = this.#rooms.get(roomId)![0]!
    first.dueAt = monotonic()
    store?.save(first.delivery, { status: 'pending', due: now() })
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

  #insert (entry: Entry, place: 'push' | 'unshift'): void {
    const { id, change: { roomId } } = entry.delivery
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

/** Adds to a bounded map. @returns the value that had to leave, if one had to */
function keep<T> (map: Map<string, T>, id: string, value: T, bound: number): T | undefined {
  map.set(id, value)
  if (map.size <= bound) return undefined
  const [oldest, forgotten] = map.entries().next().value!
  map.delete(oldest)
  return forgotten
}
