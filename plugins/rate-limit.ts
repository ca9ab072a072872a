// How many REST requests one caller may make: per API key, or per address without one. Counted in Redis for all nodes together, where there is one.
import { createHash } from 'node:crypto'
import rateLimit, { type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { networkOf } from '../src/auth/address.js'
import { bearerOf } from '../src/auth/api-keys.js'
import type { RoomRedis } from '../src/broker/redis/scripts.js'
import { Failure } from '../src/errors.js'

const KEY_HOLDERS: ReadonlySet<string> = new Set(['backend', 'reader'])

/** A count begins anew after so long, ms. */
const WINDOW = 1_000

/** Addresses and keys that are counted at once; past it whoever was not seen for the longest time is forgotten. */
const MAX_COUNTED = 10_000

interface Window { current: number, since: number }

type Told = (error: Error | null, result?: { current: number, ttl: number }) => void

// The library makes its store itself, so what a store needs is closed over.

/**
 * Counts in this process. The library's own store goes by the wall clock, and hands out one object that goes on counting before it is read, so
 * that of a burst in one turn of the event loop all would be refused, also those within the limit.
 */
function storeInProcess (monotonic: () => number): FastifyRateLimitStoreCtor {
  const windows = new Map<string, Window>()
  return class Store implements FastifyRateLimitStore {
    incr (key: string, callback: Told, timeWindow = WINDOW): void {
      const time = monotonic()
      const known = windows.get(key)
      const window = known && time - known.since < timeWindow ? known : { current: 0, since: time }
      window.current++
      // Put in anew, so that the Map's order is that of use.
      windows.delete(key)
      windows.set(key, window)
      if (windows.size > MAX_COUNTED) windows.delete(windows.keys().next().value!)
      callback(null, { current: window.current, ttl: timeWindow - (time - window.since) })
    }

    child (): this { return this }
  }
}

/** Counts in Redis. With the library's own store a window would last for as long as the clock of Redis was put back in it. */
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
    // Whoever only guesses at keys is counted by address, however many they try.
    keyGenerator: ({ headers: { authorization }, credentials, ip }) => credentials instanceof Failure || !KEY_HOLDERS.has(credentials.principal)
      ? `address:${networkOf(ip)}`
      : `key:${createHash('sha256').update(bearerOf(authorization)!).digest('base64url')}`,
    // Without Redis nobody is counted: better than nobody served.
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
