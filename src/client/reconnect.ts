// Reconnect policy: the close codes that are final, and the delay before the next attempt.

/** Shortest and longest delay before an attempt, ms. */
export const MIN_DELAY = 500
export const MAX_DELAY = 20_000

/**
 * @returns whether a close is final: normal (1000), a fault of our own messages (1003, 1007, 1009), or 4500–4999, a range that also covers codes
 * unknown to this client
 */
export function isFinal (code = 0): boolean {
  return [1000, 1003, 1007, 1009].includes(code) || (code >= 4500 && code <= 4999)
}

/**
 * Returns the delay before the next attempt, with full jitter: a random time between the shortest delay and a ceiling that doubles with each
 * failure, so that clients that lost their server together do not reconnect together.
 * @param failures number of attempts that have failed in a row, from 0
 * @param random from 0 up to but not including 1
 * @returns delay, ms
 */
export function delayAfter (failures: number, random: number): number {
  const ceiling = Math.min(MAX_DELAY, 4 * MIN_DELAY * 2 ** failures)
  return MIN_DELAY + random * (ceiling - MIN_DELAY)
}
