// The funnel: the number of payments that reached each milestone, the time that they took, and the methods that they were paid with. Each payment counts once.
import type { Advance } from '../broker/broker.js'
import { Failure } from '../errors.js'
import type { MaybePromise } from '../maybe-promise.js'
import type { Metrics } from '../metrics/metrics.js'
import { MILESTONES } from '../payment/milestones.js'
import type { FunnelReport, FunnelWindow } from '../protocol/rest-funnel.js'
import { binOf, quantileOf } from './durations.js'

/** Fields of one period of time, each with its sum: `n:<milestone>`, `t:<milestone>:<bin>` for times, `m:<method>` and `p:<method>` for payments by method. */
export type FunnelSums = ReadonlyMap<string, number>

/** Sums of a period that begins at `start`, ms since the epoch. */
export interface Period { readonly length: number, readonly start: number }

export interface FunnelStore {
  /** Adds 1 to each field of each period. */
  add: (periods: readonly Period[], fields: readonly string[]) => void
  /** @returns the sums over all periods */
  read: (periods: readonly Period[]) => MaybePromise<FunnelSums | Failure>
}

/** Different fields of one period that are kept; a method beyond them counts as `other`. */
export const MAX_FIELDS = 500

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Number and length of the periods that make up a window. Each event is counted in a period of either length. */
const WINDOWS: Readonly<Record<FunnelWindow, { count: number, length: number }>> = {
  hour: { count: 12, length: 5 * MINUTE },
  day: { count: 24, length: HOUR },
  week: { count: 168, length: HOUR }
}
/** Time for which periods of a length are kept, ms: the longest window of that length. */
export const LIFETIMES: ReadonlyMap<number, number> = new Map([[5 * MINUTE, HOUR + 5 * MINUTE], [HOUR, 169 * HOUR]])

/** Milestone before all others: a room has begun. */
const CREATED = 0
const CLICKED_PAY = MILESTONES.indexOf('CLICKED_PAY') + 1
const PAID = MILESTONES.indexOf('paid') + 1

export interface FunnelOptions {
  readonly store: FunnelStore
  readonly metrics: Metrics
  /** ms since the epoch. */
  readonly now: () => number
}

export class Funnel {
  readonly #options: FunnelOptions

  constructor (options: FunnelOptions) { this.#options = options }

  /** Counts a room that has begun. */
  created (): void { this.#add([`n:${CREATED}`], this.#options.now()) }

  /** Counts a payment that has come further. Milestones that it skipped count as reached, so that no later one has more payments. */
  advanced ({ from, to, state: { method } }: Advance): void {
    const first = (from?.number ?? 0) + 1
    const fields = Array.from({ length: to.number - first + 1 }, (_, i) => `n:${first + i}`)
    const passes = (milestone: number) => first <= milestone && milestone <= to.number
    // A success that is verified at once is also the time until it was paid.
    const timed = !from ? [] : to.number > PAID && passes(PAID) ? [PAID, to.number] : [to.number]
    for (const number of timed) fields.push(`t:${number}:${binOf(to.at - from!.at)}`)
    if (passes(CLICKED_PAY)) fields.push(`m:${nameOf(method)}`)
    if (passes(PAID)) fields.push(`p:${nameOf(method)}`)
    this.#add(fields, to.at)
    const { metrics } = this.#options
    for (let number = first; number <= to.number; number++) metrics.paymentSteps.inc({ step: MILESTONES[number - 1]! })
    for (const number of timed) metrics.paymentSeconds.observe({ step: MILESTONES[number - 1]! }, Math.max(0, to.at - from!.at) / 1000)
  }

  /** Sums up the last hour, day or week. */
  async report (window: FunnelWindow): Promise<FunnelReport | Failure> {
    const to = this.#options.now()
    const { count, length } = WINDOWS[window]
    const last = startOf(to, length)
    const periods = Array.from({ length: count }, (_, i) => ({ length, start: last - i * length }))
    const sums = await this.#options.store.read(periods)
    return sums instanceof Failure ? sums : { window, from: last - (count - 1) * length, to, ...summarise(sums) }
  }

  #add (fields: readonly string[], at: number): void {
    this.#options.store.add([...LIFETIMES.keys()].map((length) => ({ length, start: startOf(at, length) })), fields)
  }
}

function startOf (time: number, length: number): number { return time - time % length }

/** Name under which a method is counted. Methods are texts of devices, so that only short plain ones are names. */
function nameOf (method: string | undefined): string {
  return method === undefined ? 'unknown' : /^[\w -]{1,32}$/.test(method) ? method.toLowerCase() : 'other'
}

function summarise (sums: FunnelSums): Pick<FunnelReport, 'steps' | 'methods' | 'paidShare'> {
  const numberAt = (milestone: number) => sums.get(`n:${milestone}`) ?? 0
  const steps = ['created', ...MILESTONES].map((step, number) => {
    const payments = numberAt(number)
    const bins = new Map([...sums].filter(([field]) => field.startsWith(`t:${number}:`)).map(([field, sum]) => [Number(field.split(':')[2]), sum]))
    return {
      step: step as FunnelReport['steps'][number]['step'],
      payments,
      // A payment may reach a step in another window than the one before.
      lost: number === CREATED ? 0 : Math.max(0, numberAt(number - 1) - payments),
      medianSeconds: quantileOf(bins, 0.5),
      p95Seconds: quantileOf(bins, 0.95)
    }
  })
  const methods = [...sums.keys()].filter((field) => /^[mp]:/.test(field)).map((field) => field.slice(2))
  return {
    steps,
    paidShare: numberAt(1) === 0 ? null : Math.min(1, numberAt(PAID) / numberAt(1)),
    methods: [...new Set(methods)].map((method) => ({ method, payments: sums.get(`m:${method}`) ?? 0, paid: sums.get(`p:${method}`) ?? 0 }))
      .sort((a, b) => b.payments - a.payments || (a.method < b.method ? -1 : 1))
  }
}
