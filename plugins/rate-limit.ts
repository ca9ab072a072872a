// Rate limit of REST requests: per API key, or per address without one. Counted in Redis for all nodes together, if Redis is configured.
import { createHash } from 'node:crypto'
import rateLimit, { type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { networkOf } from '../src/auth/address.js'
import { bearerOf } from '../src/auth/api-keys.js'
import type { RoomRedis } from '../src/broker/redis/scripts.js'
import { Failure } from '../src/errors.js'

const KEY_HOLDERS: ReadonlySet<string> = new Set(['backend', 'reader'])

/** Length of a counting window, ms. */
const WINDOW = 1_000

/** Upper bound of addresses and keys counted at once; beyond it the least recently used one is forgotten. */
const MAX_COUNTED = 10_000

interface Window { current: number, since: number }

type Told = (error: Error | null, result?: { current: number, ttl: number }) => void

// @fastify/rate-limit constructs its store itself, so a store takes its dependencies from a closure.

/**
 * Store in this process. The library's own store uses the wall clock, and returns one object that continues to count before it is read: in a burst within one
 * tick of the event loop all requests would be refused, even those within the limit.
 */
function storeInProcess (monotonic: () => number): FastifyRateLimitStoreCtor {
  const windows = new Map<string, Window>()
  return class Store implements FastifyRateLimitStore {
    incr (key: string, callback: Told, timeWindow = WINDOW): void {
      const time = monotonic()
      const known = windows.get(key)
      const window = known && time - known.since < timeWindow ? known : { current: 0, since: time }
      window.current++
      // Deleted and set again, so that the Map is ordered by use.
      windows.delete(key)
      windows.set(key, window)
      if (windows.size > MAX_COUNTED) windows.delete(windows.keys().next().value!)
      callback(null, { current: window.current, ttl: timeWindow - (time - window.since) })
    }

    child (): this { return this }
  }
}

/** Store in Redis. With the library's own store, a window would be longer by the time that the clock of Redis was set back in it. */
function storeInRedis (redis: RoomRedis, prefix: string): FastifyRateLimitStoreCtor {
  return class Store implements FastifyRateLimitStore {
    incr (key: string, callback: Told, timeWindow = WINDOW): void {
      redis.countRequest(prefix + key, timeWindow).then(([current, ttl]) => callback(null, { current, ttl }), callback)
    }

    child (): this { return this }
  }
}

export default fp(async (app) => {
  const { config: { REQUESTS_PER_SECOND: max, REDIS_PREFIX }, redis, monotonic } = app
  if (max === 0) return
  await app.register(rateLimit, {
    global: false,
    max,
    timeWindow: WINDOW,
    // A caller that guesses keys is counted by address, however many keys it tries.
    keyGenerator: ({ headers: { authorization }, credentials, ip }) => credentials instanceof Failure || !KEY_HOLDERS.has(credentials.principal)
      ? `address:${networkOf(ip)}`
      : `key:${createHash('sha256').update(bearerOf(authorization)!).digest('base64url')}`,
    // Without Redis no request is counted, which is better than none served.
    skipOnError: true,
    store: redis ? storeInRedis(redis.commands, `${REDIS_PREFIX}:rate:`) : storeInProcess(monotonic),
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': true },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  })
  const limit = app.rateLimit()
  app.addHook('onRequest', async function (request, reply) {
    if (request.routeOptions.url?.startsWith('/api/')) await limit.call(this, request, reply)
  })
}, { name: 'rate-limit', dependencies: ['credentials', 'errors', 'redis', 'ws'] })
