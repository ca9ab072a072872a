// Rate limit of REST requests: per API key, or per address without one. Counted in Redis for all nodes together, if Redis is configured.
import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { networkOf } from '../src/auth/address.js'
import { bearerOf } from '../src/auth/api-keys.js'
import type { RoomRedis } from '../src/broker/redis/scripts.js'
import { Failure } from '../src/errors.js'
import { actionOf } from './guards.js'

const KEY_HOLDERS: ReadonlySet<string> = new Set(['backend', 'reader'])

/** Length of a counting window, ms. */
const WINDOW = 1_000

/** Upper bound of addresses and keys counted at once; beyond it the least recently used one is forgotten. */
const MAX_COUNTED = 10_000

interface Window { current: number, readonly since: number }

/** Counts a request. @returns the number of requests of that key in the current window, including this one */
type Counter = (key: string) => number | Promise<number>

/** Counts in this process. */
function countInProcess (monotonic: () => number): Counter {
  const windows = new Map<string, Window>()
  return (key) => {
    const time = monotonic()
    const last = windows.get(key)
    const window = last && time - last.since < WINDOW ? last : { current: 0, since: time }
    window.current++
    // Deleted and set again, so that the Map is ordered by use.
    windows.delete(key)
    windows.set(key, window)
    if (windows.size > MAX_COUNTED) windows.delete(windows.keys().next().value!)
    return window.current
  }
}

/** Counts in Redis, for all nodes together. */
function countInRedis (redis: RoomRedis, prefix: string): Counter {
  return async (key) => {
    try {
      const [current] = await redis.countRequest(prefix + key, WINDOW)
      return current
    } catch {
      // Without Redis no request is counted, which is better than none served.
      return 0
    }
  }
}

export default fp(async (app) => {
  const { config: { REQUESTS_PER_SECOND: max, REDIS_PREFIX }, redis, clientAddress, monotonic } = app
  const count = redis ? countInRedis(redis.commands, `${REDIS_PREFIX}:rate:`) : countInProcess(monotonic)

  // A caller that guesses keys is counted by address, however many keys it tries.
  function keyOf (request: FastifyRequest): string {
    const credentials = app.credentialsOf(request)
    return credentials instanceof Failure || !KEY_HOLDERS.has(credentials.principal)
      ? `address:${networkOf(clientAddress.ofRequest(request))}`
      : `key:${createHash('sha256').update(bearerOf(request.headers.authorization)!).digest('base64url')}`
  }

  app.addHook('onRequest', async (request, reply) => {
    const { routeOptions: { url, config: { maxRate } } } = request
    if (maxRate !== undefined && await count(`route:${url}:${networkOf(clientAddress.ofRequest(request))}`) > maxRate) return reply.fail(new Failure('RATE_LIMITED'))
    if (max === 0 || actionOf(request) === 'public' || request.routeOptions.config.counted === false) return
    if (await count(keyOf(request)) > max) return reply.fail(new Failure('RATE_LIMITED'))
  })
}, { name: 'rate-limit', dependencies: ['client-address', 'credentials', 'errors', 'guards', 'redis', 'ws'] })
