// Durations in bins of a logarithmic scale, from which quantiles are read: a bounded number of counters for any number of payments.

/** Upper end of the first bin, ms. */
const SHORTEST = 100
/** Bins for each doubling: a bin is 41 % longer than the one before. */
const PER_DOUBLING = 2
/** Number of bins; the last one begins at three days, the time for late results. */
const BINS = 44

/** @param duration ms. @returns the number of its bin, from 0 */
export function binOf (duration: number): number {
  return duration < SHORTEST ? 0 : Math.min(BINS - 1, 1 + Math.floor(Math.log2(duration / SHORTEST) * PER_DOUBLING))
}

/**
 * Estimates a quantile within its bin.
 * @param bins sums by number of the bin
 * @param share 0–1
 * @returns seconds; null without a duration
 */
export function quantileOf (bins: ReadonlyMap<number, number>, share: number): number | null {
  const total = [...bins.values()].reduce((sum, count) => sum + count, 0)
  let left = total * share
  for (const [bin, count] of [...bins].sort(([a], [b]) => a - b)) {
    if (left <= count) return Math.round(startOf(bin) + (startOf(bin + 1) - startOf(bin)) * left / count) / 1000
    left -= count
  }
  return null
}

function startOf (bin: number): number { return bin === 0 ? 0 : SHORTEST * 2 ** ((bin - 1) / PER_DOUBLING) }
