// Sums of the funnel of all nodes, in Redis: a hash for each period.
import type { RoomRedis } from '../broker/redis/scripts.js'
import { Failure } from '../errors.js'
import { LIFETIMES, MAX_FIELDS, type FunnelStore, type FunnelSums, type Period } from './funnel.js'
import { otherOf } from './memory-store.js'

export interface RedisFunnelStoreOptions {
  readonly commands: RoomRedis
  /** Prefix of the keys, with a hash tag. */
  readonly prefix: string
}

export class RedisFunnelStore implements FunnelStore {
  readonly #options: RedisFunnelStoreOptions
  /** Counts of this turn, by the keys of their periods. */
  readonly #waiting = new Map<string, { readonly periods: readonly Period[], readonly keys: readonly string[], readonly counts: Map<string, number> }>()

  constructor (options: RedisFunnelStoreOptions) { this.#options = options }

  /** Adds to the fields of periods, together with all others of this turn of the event loop. */
  add (periods: readonly Period[], fields: readonly string[]): void {
    const keys = periods.map((period) => this.#keyOf(period))
    const id = keys.join(' ')
    if (this.#waiting.size === 0) setImmediate(() => this.#addWaiting())
    const counts = this.#waiting.get(id)?.counts ?? new Map<string, number>()
    for (const field of fields) counts.set(field, (counts.get(field) ?? 0) + 1)
    this.#waiting.set(id, { periods, keys, counts })
  }

  #addWaiting (): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { periods, keys, counts } of waiting) {
      const lifetimes = periods.map(({ length }) => LIFETIMES.get(length)! + length)
      this.#options.commands.countFields(...keys, MAX_FIELDS, ...lifetimes, ...[...counts].flatMap(([field, count]) => [field, otherOf(field), count]))
        // The broker reports the trouble of Redis; without Redis no payment goes on either.
        .catch(() => {})
    }
  }

  async read (periods: readonly Period[]): Promise<FunnelSums | Failure> {
    const { commands } = this.#options
    if (commands.status !== 'ready') return new Failure('UNAVAILABLE')
    try {
      const all = new Map<string, number>()
      for (const sums of await Promise.all(periods.map((period) => commands.hgetall(this.#keyOf(period))))) {
        for (const [field, sum] of Object.entries(sums)) all.set(field, (all.get(field) ?? 0) + Number(sum))
      }
      return all
    } catch {
      return new Failure('UNAVAILABLE')
    }
  }

  #keyOf ({ length, start }: Period): string { return `${this.#options.prefix}:${length}:${start}` }
}
