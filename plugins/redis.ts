// The connection to Redis, where one is set: decorates `redis`. It comes and goes by itself; who uses it deals with its absence.
import fp from 'fastify-plugin'
import type { RedisClients } from '../src/broker/redis/clients.js'

declare module 'fastify' {
  interface FastifyInstance {
    redis: RedisClients | undefined
  }
}

export default fp(async (app) => {
  const { REDIS_URL, REDIS_SENTINEL_USERNAME: username, REDIS_SENTINEL_PASSWORD: password } = app.config
  // Loaded only where it is used: it costs memory and a moment at the start.
  const redis = REDIS_URL === undefined ? undefined : (await import('../src/broker/redis/clients.js')).connect(REDIS_URL, { username, password })
  // An error that nobody listens to is printed by ioredis as a whole, past the log.
  for (const client of redis?.clients ?? []) client.on('error', () => { /* the broker tells of it, by the client's state */ })
  app.decorate('redis', redis)
  app.addHook('onClose', async () => redis?.close())
}, { name: 'redis' })
