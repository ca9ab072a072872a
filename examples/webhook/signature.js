// Verifies that a webhook is from the payment provider: an HMAC over the timestamp and the exact bytes that were received.
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Largest age of a webhook, s: one that was recorded and is replayed later is refused. */
const TOLERANCE = 300

/** @param {string} secret shared with the provider @param {number} time Unix time, s @param {Buffer | string} body */
export function sign (secret, time, body) {
  return createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex')
}

/**
 * @param {string | undefined} header as in `t=1795504813,v1=5257a8…`
 * @param {number} now s
 */
export function isGenuine (secret, header, body, now = Date.now() / 1000) {
  const [, time, signature] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? []
  if (time === undefined || Math.abs(now - Number(time)) > TOLERANCE) return false
  return timingSafeEqual(Buffer.from(signature, 'hex'), Buffer.from(sign(secret, time, body), 'hex'))
}
