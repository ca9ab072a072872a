// Sums of the funnel of one process, in its memory. With a journal they outlive the process, except for those of its last second if it is killed.
import type { KeptValues } from '../broker/journal/kept-values.js'
import { LIFETIMES, MAX_FIELDS, type FunnelStore, type FunnelSums, type Period } from './funnel.js'

/** Beginning of the keys of the sums, followed by the period. */
const SUMS = 'funnel/'

export class MemoryFunnelStore implements FunnelStore {
  /** Sums by period, in the order in which the periods were begun. */
  readonly #periods = new Map<string, { period: Period, sums: Map<string, number> }>()
  readonly #kept: KeptValues | undefined
  /** Periods whose sums are not kept yet. */
  readonly #changed = new Set<string>()

  constructor (kept?: KeptValues) {
    this.#kept = kept
    for (const [key, sums] of kept?.under(SUMS) ?? []) this.#periods.set(key, { period: periodOf(key), sums: new Map(Object.entries(sums as Record<string, number>)) })
    kept?.saveAtTick(() => this.#save())
  }

  add (periods: readonly Period[], fields: readonly string[]): void {
    for (const period of periods) {
      const key = keyOf(period)
      const { sums } = this.#periods.get(key) ?? this.#begin(period)
      for (const field of fields) {
        const name = sums.has(field) || sums.size < MAX_FIELDS ? field : otherOf(field)
        sums.set(name, (sums.get(name) ?? 0) + 1)
      }
      if (this.#kept) this.#changed.add(key)
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
    for (const [key, { period: { length, start } }] of this.#periods) if (length === period.length && start <= period.start - LIFETIMES.get(length)!) this.#end(key)
    const begun = { period, sums: new Map<string, number>() }
    this.#periods.set(keyOf(period), begun)
    return begun
  }

  #end (key: string): void {
    this.#periods.delete(key)
    this.#changed.delete(key)
    this.#kept?.remove(SUMS + key)
  }

  #save (): void {
    for (const key of this.#changed) this.#kept!.put({ key: SUMS + key, value: Object.fromEntries(this.#periods.get(key)!.sums) })
    this.#changed.clear()
  }
}

function keyOf ({ length, start }: Period): string { return `${length}:${start}` }

function periodOf (key: string): Period {
  const [length, start] = key.split(':').map(Number) as [number, number]
  return { length, start }
}

/** Field that takes the place of one too many. Only methods have an unbounded number of them. */
export function otherOf (field: string): string { return /^[mp]:/.test(field) ? `${field.slice(0, 2)}other` : field }
