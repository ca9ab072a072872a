// Sums of the funnel of one process, in its memory.
import { LIFETIMES, MAX_FIELDS, type FunnelStore, type FunnelSums, type Period } from './funnel.js'

export class MemoryFunnelStore implements FunnelStore {
  /** Sums by period, in the order in which the periods were begun. */
  readonly #periods = new Map<string, { period: Period, sums: Map<string, number> }>()

  add (periods: readonly Period[], fields: readonly string[]): void {
    for (const period of periods) {
      const { sums } = this.#periods.get(keyOf(period)) ?? this.#begin(period)
      for (const field of fields) {
        const name = sums.has(field) || sums.size < MAX_FIELDS ? field : otherOf(field)
        sums.set(name, (sums.get(name) ?? 0) + 1)
      }
    }
  }

  read (periods: readonly Period[]): FunnelSums {
    const all = new Map<string, number>()
    for (const period of periods) {
      for (const [field, sum] of this.#periods.get(keyOf(period))?.sums ?? []) all.set(field, (all.get(field) ?? 0) + sum)
    }
    return all
  }

  #begin (period: Period): { sums: Map<string, number> } {
    // A Map may be modified during iteration.
    for (const [key, { period: { length, start } }] of this.#periods) if (length === period.length && start <= period.start - LIFETIMES.get(length)!) this.#periods.delete(key)
    const begun = { period, sums: new Map<string, number>() }
    this.#periods.set(keyOf(period), begun)
    return begun
  }
}

function keyOf ({ length, start }: Period): string { return `${length}:${start}` }

/** Field that takes the place of one too many. Only methods have an unbounded number of them. */
export function otherOf (field: string): string { return /^[mp]:/.test(field) ? `${field.slice(0, 2)}other` : field }
