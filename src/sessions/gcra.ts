// How often something may happen: a token bucket in two numbers, for things of which there are many.

/** So many a second, and so many at once. */
export interface Rate {
  /** Time that one costs, ms. */
  readonly emissionInterval: number
  /** How much may be owed before the next one is refused, ms. */
  readonly burstTolerance: number
}

/** What sums of times are off by, at the most, ms. */
const ROUNDING = 0.01

/** @param burst how many may come at once, 1 or more */
export function rateOf (perSecond: number, burst: number): Rate {
  const emissionInterval = 1000 / perSecond
  return { emissionInterval, burstTolerance: emissionInterval * (burst - 1) }
}

/** One who is held to a rate (the generic cell rate algorithm, ITU-T I.371: a bucket that need not be refilled). */
export class Gcra {
  readonly #rate: Rate
  /** When nothing is owed any more, ms by the monotonic clock. */
  #theoreticalArrival = 0

  constructor (rate: Rate) { this.#rate = rate }

  /** Takes one, if it may be taken. @param now ms by the monotonic clock */
  take (now: number): boolean {
    const { emissionInterval, burstTolerance } = this.#rate
    const owed = this.#theoreticalArrival - now
    // More than can be owed: the clock was put back.
    if (owed <= 0 || owed > burstTolerance + emissionInterval + ROUNDING) this.#theoreticalArrival = now
    else if (owed > burstTolerance + ROUNDING) return false
    this.#theoreticalArrival += emissionInterval
    return true
  }
}
