// Decorates `redis`: the clients of Redis, if REDIS_URL is set. They reconnect by themselves; their callers handle an outage.
import fp from 'fastify-plugin'
import type { RedisClients } from '../src/broker/redis/clients.js'

declare module 'fastify' {
  interface FastifyInstance {
    redis: RedisClients | undefined
  }
}

export default fp(async (app) => {
  const { REDIS_URL, REDIS_SENTINEL_USERNAME: username, REDIS_SENTINEL_PASSWORD: password } = app.config
  // Imported only if needed: the library costs memory and start-up time.
  const redis = REDIS_URL === undefined ? undefined : (await import('../src/broker/redis/clients.js')).connect(REDIS_URL, { username, password })
  // Without a listener, ioredis prints the whole error to the console, past the log.
  for (const client of redis?.clients ?? []) client.on('error', () => { /* the broker reports it, from the state of the client */ })
  app.decorate('redis', redis)
  app.addHook('onClose', async () => redis?.close())
}, { name: 'redis' })
