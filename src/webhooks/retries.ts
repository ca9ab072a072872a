// Times of the tries of a delivery.

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Delays before the second try and all after it, ms. After the last one a delivery has failed. */
export const RETRY_DELAYS: readonly number[] = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]

/** Longest `Retry-After` that is obeyed, ms: a receiver must not keep a room waiting for ever. */
export const MAX_RETRY_AFTER = 24 * HOUR

/** Share of a delay by which it may be longer, so that the deliveries of an outage do not all come at once. */
const JITTER = 0.1

/**
 * @param attempts tries so far
 * @param random from 0 to 1
 * @param retryAfter least delay that the receiver asks for, ms
 * @returns ms until the next try; undefined if there is none
 */
export function retryDelay (attempts: number, random: number, retryAfter = 0): number | undefined {
  const delay = RETRY_DELAYS[attempts - 1]
  return delay === undefined ? undefined : Math.max(Math.round(delay * (1 + JITTER * random)), retryAfter)
}

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
 * @param now ms since the epoch
 * @returns ms from now; undefined if the header is missing or malformed
 */
export function retryAfterOf (header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const delay = /^\d+$/.test(header) ? Number(header) * SECOND : Date.parse(header) - now
  return Number.isNaN(delay) ? undefined : Math.min(Math.max(0, delay), MAX_RETRY_AFTER)
}
