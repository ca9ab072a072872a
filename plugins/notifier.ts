// Decorates `notifier`: the webhooks that this server sends to backends, if WEBHOOK_SECRET is set.
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { typeOf } from '../src/changes/notification.js'
import { filledEntriesOf } from '../src/comma-list.js'
import { loadFor } from '../src/config.js'
import { VERSION } from '../src/root.js'
import type { DeliveryQueue } from '../src/webhooks/delivery-queue.js'
import { deliveryOf } from '../src/webhooks/delivery.js'
import type { MemoryQueue } from '../src/webhooks/memory-queue.js'
import type { RedisQueue } from '../src/webhooks/redis/redis-queue.js'
import { isWanted, wantedTypes } from '../src/webhooks/wanted.js'

/** Time that webhooks under way have at shutdown, ms. */
const CLOSE_TIMEOUT = 3_000

/** Interval at which a queue looks for rooms that have become due, ms. */
const TICK_INTERVAL = 1_000

declare module 'fastify' {
  interface FastifyInstance {
    /** The deliveries; undefined if this server sends no webhooks. */
    notifier: { readonly queue: DeliveryQueue } | undefined
  }
}

export default fp(async (app) => {
  const { config, log, metrics, now } = app
  const { WEBHOOK_SECRET: secrets, WEBHOOK_URL: url, WEBHOOK_EVENTS, WEBHOOK_ALLOW_PRIVATE: allowPrivate } = config
  if (secrets === undefined) {
    app.decorate('notifier', undefined)
    return
  }
  const [{ Dispatcher }, { HttpPost }, { loadSignature }] = await Promise.all([
    import('../src/webhooks/dispatcher.js'), import('../src/webhooks/http-post.js'), import('../src/webhooks/signature.js')
  ])
  const sign = await loadFor('WEBHOOK_SECRET', 'standardwebhooks', () => loadSignature(filledEntriesOf(secrets)))
  const types = wantedTypes(WEBHOOK_EVENTS)
  const http = new HttpPost({ allowPrivate })
  const queue = app.redis ? await queueInRedis(app, types) : await queueInProcess(app)
  const dispatcher = new Dispatcher({
    ...{ queue, url, types, sign, now, metrics, log },
    post: (url, headers, body) => {
      // The change is in the journal before a backend learns of it.
      app.transport.batch.settle()
      return http.send(url, headers, body)
    },
    userAgent: `ws-payment-server/${VERSION}`,
    random: Math.random
  })
  queue.start((roomId) => dispatcher.work(roomId))
  const timer = setInterval(() => { void queue.tick() }, TICK_INTERVAL).unref()
  app.decorate('notifier', { queue })
  app.addHook('onClose', async () => {
    clearInterval(timer)
    dispatcher.stop()
    await queue.close(CLOSE_TIMEOUT)
    http.close()
  })
  log.info({ common: url !== undefined, types: [...types] }, 'webhooks are sent to backends')
}, { name: 'notifier', dependencies: ['broker', 'changes', 'metrics', 'outbox', 'redis', 'transport'] })

/** Queue in this process, which gets its deliveries from the changes that this process makes. With a journal the record of a change has its delivery already. */
async function queueInProcess (app: FastifyInstance): Promise<MemoryQueue> {
  const { changes, config: { WEBHOOK_URL, WEBHOOK_EVENTS }, keptDeliveries: store, log, now, monotonic } = app
  const { MemoryQueue } = await import('../src/webhooks/memory-queue.js')
  const queue = new MemoryQueue({
    ...{ now, monotonic, store },
    onDropped: ({ change: { roomId } }) => noteDropped(app, roomId),
    onFailed: (err) => log.error({ err }, 'webhooks of a room failed')
  })
  if (store) queue.restore(store.restore())
  const becomesWebhook = isWanted(WEBHOOK_EVENTS, WEBHOOK_URL)
  changes.listen((change) => { if (becomesWebhook(change)) queue.add(deliveryOf(change, change.webhookUrl)) })
  return queue
}

/** Queue in Redis, which gets its deliveries from the outboxes of the rooms, whichever node fills them. */
async function queueInRedis (app: FastifyInstance, types: ReadonlySet<string>): Promise<RedisQueue> {
  const { config: { REDIS_PREFIX: prefix }, log, monotonic } = app
  const { commands } = app.redis!
  const { RedisQueue } = await loadFor('WEBHOOK_SECRET', 'bullmq', () => import('../src/webhooks/redis/redis-queue.js'))
  const { connectQueue } = await import('../src/broker/redis/clients.js')
  const connection = connectQueue(app.redis!)
  // The broker reports the state of Redis.
  connection.on('error', () => {})
  app.addHook('onClose', async () => connection.disconnect())
  const queue = new RedisQueue({
    ...{ commands, connection, prefix, monotonic },
    isWanted: (change) => types.has(typeOf(change)),
    onDropped: (roomId) => noteDropped(app, roomId),
    onFailed: (err) => { if (commands.status === 'ready') log.error({ err }, 'webhooks of a room failed') }
  })
  app.outbox!.listener = queue
  return queue
}

function noteDropped ({ metrics, log }: FastifyInstance, roomId: string): void {
  metrics.webhooksDropped.inc()
  log.error({ roomId }, 'webhook dropped, since too many wait')
}
