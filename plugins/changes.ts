// Decorates `changes`: the changes that this node makes to rooms, and the feed of those of all nodes. Counts the payments that stall.
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Changes } from '../src/changes/changes.js'
import { MemoryFeed, type SavedFeed } from '../src/changes/memory-feed.js'
import { RedisFeed } from '../src/changes/redis-feed.js'

/** Key of the feed of a process that has ended. */
const FEED = 'changes'

declare module 'fastify' {
  interface FastifyInstance {
    changes: Changes
  }
}

export default fp(async (app) => {
  const { config, dataFolder, metrics, redis } = app
  const feed = redis ? new RedisFeed({ connection: redis, key: `${config.REDIS_PREFIX}:{@changes}` }) : feedInProcess(app)
  const changes = new Changes(feed)
  changes.listen(({ cause }) => { if (cause === 'stalled') metrics.stalls.inc() })
  // A change after the feed was kept, at the end of the process: the next one must not go on before it.
  if (dataFolder) changes.listen(() => dataFolder.kept.remove(FEED))
  app.decorate('changes', changes)
  app.addHook('onClose', async () => feed.close())
}, { name: 'changes', dependencies: ['journal', 'metrics', 'redis'] })

/** Feed of this process. With a journal it goes on after a clean stop; after any other end nobody knows which changes a client has seen. */
function feedInProcess ({ dataFolder, now }: FastifyInstance): MemoryFeed {
  if (!dataFolder) return new MemoryFeed(now())
  const { kept, isComplete } = dataFolder
  const feed = new MemoryFeed(now(), isComplete ? kept.get(FEED) as SavedFeed | undefined : undefined)
  // Removed before there are other changes, which are recorded behind.
  kept.remove(FEED)
  kept.saveAtClose(() => kept.put({ key: FEED, value: feed.save() }))
  return feed
}
