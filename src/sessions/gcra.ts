// Rate limiting by the generic cell rate algorithm (GCRA): a token bucket in two numbers, small because every socket has several.

/** Sustained rate and burst of a limit. */
export interface Rate {
  /** Time that one arrival costs, ms. */
  readonly emissionInterval: number
  /** Maximum debt at which an arrival is still accepted, ms. */
  readonly burstTolerance: number
}

/** Maximum rounding error of a sum of times, ms. */
const ROUNDING = 0.01

/** @param burst number of arrivals accepted at once, at least 1 */
export function rateOf (perSecond: number, burst: number): Rate {
  const emissionInterval = 1000 / perSecond
  return { emissionInterval, burstTolerance: emissionInterval * (burst - 1) }
}

/** Limiter of one source (generic cell rate algorithm, ITU-T I.371: a token bucket that needs no refill). */
export class Gcra {
  readonly #rate: Rate
  /** Theoretical arrival time of the algorithm: when the debt is paid, ms by the monotonic clock. */
  #theoreticalArrival = 0

  constructor (rate: Rate) { this.#rate = rate }

  /** Counts an arrival if the rate allows it. @param now ms by the monotonic clock @returns false if the arrival is refused */
  take (now: number): boolean {
    const { emissionInterval, burstTolerance } = this.#rate
    const owed = this.#theoreticalArrival - now
    // A debt larger than possible means that the clock was set back.
    if (owed <= 0 || owed > burstTolerance + emissionInterval + ROUNDING) this.#theoreticalArrival = now
    else if (owed > burstTolerance + ROUNDING) return false
    this.#theoreticalArrival += emissionInterval
    return true
  }
}
