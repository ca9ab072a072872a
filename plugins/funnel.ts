// Decorates `funnel`: the payments of all nodes by the milestones that they reached.
import fp from 'fastify-plugin'
import { Funnel } from '../src/funnel/funnel.js'
import { MemoryFunnelStore } from '../src/funnel/memory-store.js'
import { RedisFunnelStore } from '../src/funnel/redis-store.js'

declare module 'fastify' {
  interface FastifyInstance {
    funnel: Funnel
  }
}

export default fp(async (app) => {
  const { config, dataFolder, metrics, now, redis } = app
  const store = redis ? new RedisFunnelStore({ commands: redis.commands, prefix: `${config.REDIS_PREFIX}:{@funnel}` }) : new MemoryFunnelStore(dataFolder?.kept)
  app.decorate('funnel', new Funnel({ store, metrics, now }))
}, { name: 'funnel', dependencies: ['journal', 'metrics', 'redis'] })
