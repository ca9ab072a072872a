// How many REST requests one caller may make: per API key, or per address without one. Counted in Redis for all nodes together, where there is one.
import { createHash } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { ApiKeys } from '../src/auth/api-keys.js'

export default fp(async (app) => {
  const { config: { REQUESTS_PER_SECOND: max, API_KEYS, REDIS_PREFIX }, redis } = app
  if (max === 0) return
  const keys = new ApiKeys(API_KEYS)
  await app.register(rateLimit, {
    global: false,
    max,
    timeWindow: 1000,
    // Whoever only guesses at keys is counted by address, however many they try.
    keyGenerator: ({ headers: { authorization = '' }, ip }) =>
      keys.accepts(authorization) ? `key:${createHash('sha256').update(authorization).digest('base64url')}` : `address:${ip}`,
    // Without Redis nobody is counted: better than nobody served.
    ...(redis && { redis: redis.commands, nameSpace: `${REDIS_PREFIX}:rate:`, skipOnError: true }),
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': true },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  })
  const limit = app.rateLimit()
  app.addHook('onRequest', async function (request, reply) {
    if (request.routeOptions.url?.startsWith('/api/')) await limit.call(this, request, reply)
  })
}, { name: 'rate-limit', dependencies: ['errors', 'redis', 'ws'] })
