// When to come back: which closes are final, and how long to wait before the next attempt.

/** The shortest and the longest wait before an attempt, ms. */
export const MIN_DELAY = 500
export const MAX_DELAY = 20_000

/** The range tells also a client that does not know the code: 4500–4999 are final, as are a normal close and faults of our own frames. */
export function isFinal (code: number): boolean {
  return code === 1000 || code === 1003 || code === 1007 || code === 1009 || (code >= 4500 && code <= 4999)
}

/**
 * Full jitter: anywhere between the shortest wait and a ceiling that doubles with each failure, so that clients which lost
 * their server together do not come back together.
 * @param failures attempts that have failed in a row, from 0
 * @param random from 0 up to but not including 1
 * @returns ms
 */
export function delayAfter (failures: number, random: number): number {
  const ceiling = Math.min(MAX_DELAY, 4 * MIN_DELAY * 2 ** failures)
  return MIN_DELAY + random * (ceiling - MIN_DELAY)
}
