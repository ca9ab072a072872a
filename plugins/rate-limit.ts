// How many REST requests one caller may make: per API key, or per address without one. Counted in Redis for all nodes together, where there is one.
import { createHash } from 'node:crypto'
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { networkOf } from '../src/auth/address.js'
import { bearerOf } from '../src/auth/api-keys.js'
import { Failure } from '../src/errors.js'

const KEY_HOLDERS: ReadonlySet<string> = new Set(['backend', 'reader'])

/** Addresses and keys that are counted at once; past it whoever was not seen for the longest time is forgotten. */
const MAX_COUNTED = 10_000

interface Window { current: number, since: number }

/**
 * Counts in this process. The library's own store hands out one object that goes on counting before it is read, so that of a burst in one
 * turn of the event loop all would be refused, also those within the limit.
 */
class WindowStore implements FastifyRateLimitStore {
  readonly #windows = new Map<string, Window>()

  incr (key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void, timeWindow = 1000): void {
    const now = Date.now()
    const known = this.#windows.get(key)
    const window = known && now - known.since < timeWindow ? known : { current: 0, since: now }
    window.current++
    // Put in anew, so that the Map's order is that of use.
    this.#windows.delete(key)
    this.#windows.set(key, window)
    if (this.#windows.size > MAX_COUNTED) this.#windows.delete(this.#windows.keys().next().value!)
    callback(null, { current: window.current, ttl: timeWindow - (now - window.since) })
  }

  child (): this { return this }
}

export default fp(async (app) => {
  const { config: { REQUESTS_PER_SECOND: max, REDIS_PREFIX }, redis } = app
  if (max === 0) return
  await app.register(rateLimit, {
    global: false,
    max,
    timeWindow: 1000,
    // Whoever only guesses at keys is counted by address, however many they try.
    keyGenerator: ({ headers: { authorization }, credentials, ip }) => credentials instanceof Failure || !KEY_HOLDERS.has(credentials.speaker)
      ? `address:${networkOf(ip)}`
      : `key:${createHash('sha256').update(bearerOf(authorization)!).digest('base64url')}`,
    // Without Redis nobody is counted: better than nobody served.
    ...(redis ? { redis: redis.commands, nameSpace: `${REDIS_PREFIX}:rate:`, skipOnError: true } : { store: WindowStore }),
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': true },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  })
  const limit = app.rateLimit()
  app.addHook('onRequest', async function (request, reply) {
    if (request.routeOptions.url?.startsWith('/api/')) await limit.call(this, request, reply)
  })
}, { name: 'rate-limit', dependencies: ['credentials', 'errors', 'redis', 'ws'] })
