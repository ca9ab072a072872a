// KeptValues: values of other parts of the server, by key, which outlive the process as its rooms do. The last record of a key counts.
import { setImmediate } from 'node:timers/promises'
import type { Journal } from './journal.js'
import { KIND, type KeptRecord } from './records.js'
import type { Segments } from './segments.js'

/** Values written anew before other work gets its turn. */
const WRITTEN_AT_ONCE = 100

export interface KeptValue {
  /** Place of the key among all, the same for each of its values. */
  readonly number: number
  /** Not changed by anyone: it is written again when its segment is emptied. */
  readonly value: unknown
  /** Segment of the record, and its bytes, about. */
  readonly segment: number
  readonly bytes: number
}

/** A value, and the key that it is kept under. */
export interface Keepsake { readonly key: string, readonly value: object | string | number | boolean }

export interface KeptValuesOptions {
  readonly journal: Journal
  readonly segments: Segments
  /** Values of the earlier process, and the highest number that one had. */
  readonly restored: ReadonlyMap<string, KeptValue>
  readonly count: number
}

export function sizeOf (record: KeptRecord): number { return JSON.stringify(record).length }

/** Those who keep values bound their number. */
export class KeptValues {
  readonly #options: KeptValuesOptions
  readonly #values = new Map<string, KeptValue>()
  /** Numbers of the keys whose last change is not recorded, because the disk is full; as many as there were values. */
  readonly #deferred = new Map<string, number>()
  readonly #atTick: Array<() => void> = []
  readonly #atClose: Array<() => void> = []
  #count: number
  #liveBytes = 0

  constructor (options: KeptValuesOptions) {
    this.#options = options
    this.#count = options.count
    for (const [key, value] of options.restored) this.#set(key, value)
  }

  /** Bytes of the records that count, about. */
  get liveBytes (): number { return this.#liveBytes }

  get size (): number { return this.#values.size }

  get (key: string): unknown { return this.#values.get(key)?.value }

  /** Values whose keys begin with a prefix, without it, in the order in which the keys were first kept. */
  under (prefix: string): Array<[rest: string, value: unknown]> {
    const found = [...this.#values].filter(([key]) => key.startsWith(prefix)).sort(([, a], [, b]) => a.number - b.number)
    return found.map(([key, { value }]) => [key.slice(prefix.length), value])
  }

  /** Keeps a value. On a full disk another value of a known key is recorded later, so that the rest of the space is for what was accepted before. */
  put ({ key, value }: Keepsake): void {
    const known = this.#values.get(key)
    if (!known) return this.#record(key, ++this.#count, value)
    if (!this.#options.journal.isFull) return this.#record(key, known.number, value)
    this.#values.set(key, { ...known, value })
    this.#deferred.set(key, known.number)
  }

  /** Keeps a value with the change that is its cause. @returns the part of the record of that change, which must be recorded right away */
  embed ({ key, value }: Keepsake): KeptRecord {
    const record = { key, number: ++this.#count, value }
    this.#set(key, { number: record.number, value, segment: this.#options.segments.number, bytes: sizeOf(record) })
    return record
  }

  remove (key: string): void {
    const known = this.#values.get(key)
    if (!known) return
    this.#unset(key)
    if (this.#options.journal.isFull) this.#deferred.set(key, known.number)
    else this.#recordRemoval(key, known.number)
  }

  /** Writes what was kept now, not at the end of the round of the event loop. */
  flush (): void { this.#options.journal.flush() }

  /** Adds work that is done about once a second, and before the journal is closed: it puts values that change often. */
  saveAtTick (save: () => void): void {
    this.#atTick.push(save)
    this.#atClose.push(save)
  }

  /** Adds work that is done before the journal is closed. */
  saveAtClose (save: () => void): void { this.#atClose.push(save) }

  /** Records what waited for space on the disk, and does the work of a second. */
  tick (): void { this.#save(this.#atTick) }

  close (): void { this.#save(this.#atClose) }

  /** Records the values of a segment again, so that it can be deleted. */
  async move (from: number): Promise<void> {
    const { journal } = this.#options
    let written = 0
    // A Map may be modified during iteration.
    for (const [key, { number, value, segment }] of this.#values) {
      if (segment !== from) continue
      if (journal.isFull) return
      this.#record(key, number, value)
      if (++written % WRITTEN_AT_ONCE > 0) continue
      journal.flush()
      await setImmediate()
    }
  }

  #save (work: ReadonlyArray<() => void>): void {
    if (this.#options.journal.isFull) return
    for (const [key, number] of this.#deferred) {
      const known = this.#values.get(key)
      if (known) this.#record(key, known.number, known.value)
      else this.#recordRemoval(key, number)
    }
    this.#deferred.clear()
    for (const save of work) save()
  }

  #record (key: string, number: number, value: unknown): void {
    const { journal, segments } = this.#options
    const record: KeptRecord = { key, number, value }
    const bytes = journal.json(KIND.kept, record)
    this.#set(key, { number, value, segment: segments.number, bytes })
  }

  #recordRemoval (key: string, number: number): void {
    const record: KeptRecord = { key, number, value: null }
    this.#options.journal.json(KIND.kept, record)
  }

  #set (key: string, value: KeptValue): void {
    this.#unset(key)
    this.#values.set(key, value)
    this.#options.segments.pin(value.segment)
    this.#liveBytes += value.bytes
  }

  #unset (key: string): void {
    const known = this.#values.get(key)
    if (!known) return
    this.#values.delete(key)
    this.#options.segments.unpin(known.segment)
    this.#liveBytes -= known.bytes
  }
}
