// How many REST requests one caller may make: per API key, or per address without one. Counted in Redis for all nodes together, where there is one.
import { createHash } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { networkOf } from '../src/auth/address.js'
import { Failure } from '../src/errors.js'

const KEY_HOLDERS: ReadonlySet<string> = new Set(['backend', 'reader'])

export default fp(async (app) => {
  const { config: { REQUESTS_PER_SECOND: max, REDIS_PREFIX }, redis } = app
  if (max === 0) return
  await app.register(rateLimit, {
    global: false,
    max,
    timeWindow: 1000,
    // Whoever only guesses at keys is counted by address, however many they try.
    keyGenerator: ({ headers: { authorization = '' }, credentials, ip }) => credentials instanceof Failure || !KEY_HOLDERS.has(credentials.speaker)
      ? `address:${networkOf(ip)}`
      : `key:${createHash('sha256').update(authorization).digest('base64url')}`,
    // Without Redis nobody is counted: better than nobody served.
    ...(redis && { redis: redis.commands, nameSpace: `${REDIS_PREFIX}:rate:`, skipOnError: true }),
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': true },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  })
  const limit = app.rateLimit()
  app.addHook('onRequest', async function (request, reply) {
    if (request.routeOptions.url?.startsWith('/api/')) await limit.call(this, request, reply)
  })
}, { name: 'rate-limit', dependencies: ['credentials', 'errors', 'redis', 'ws'] })
