// Decorates `changes`: the changes that this node makes to rooms, and the feed of those of all nodes. Counts the payments that stall.
import fp from 'fastify-plugin'
import { Changes } from '../src/changes/changes.js'
import { MemoryFeed } from '../src/changes/memory-feed.js'
import { RedisFeed } from '../src/changes/redis-feed.js'

declare module 'fastify' {
  interface FastifyInstance {
    changes: Changes
  }
}

export default fp(async (app) => {
  const { config, metrics, now, redis } = app
  const feed = redis ? new RedisFeed({ connection: redis, key: `${config.REDIS_PREFIX}:{@changes}` }) : new MemoryFeed(now())
  const changes = new Changes(feed)
  changes.listen(({ cause }) => { if (cause === 'stalled') metrics.stalls.inc() })
  app.decorate('changes', changes)
  app.addHook('onClose', async () => feed.close())
}, { name: 'changes', dependencies: ['metrics', 'redis'] })
