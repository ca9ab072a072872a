// Decorates `notifier`: the webhooks that this server sends to backends, if WEBHOOK_SECRET is set.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { typeOf } from '../src/changes/notification.js'
import { entriesOf, filledEntriesOf } from '../src/comma-list.js'
import { loadFor } from '../src/config.js'
import { VERSION } from '../src/root.js'
import type { DeliveryQueue } from '../src/webhooks/delivery-queue.js'
import { deliveryOf } from '../src/webhooks/delivery.js'
import { Dispatcher } from '../src/webhooks/dispatcher.js'
import { HttpPost } from '../src/webhooks/http-post.js'
import { MemoryQueue } from '../src/webhooks/memory-queue.js'
import { loadSignature } from '../src/webhooks/signature.js'

/** Time that webhooks under way have at shutdown, ms. */
const CLOSE_TIMEOUT = 3_000

/** Interval at which deliveries in this process are looked for that have become due, ms. */
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
  const sign = await loadFor('WEBHOOK_SECRET', 'standardwebhooks', () => loadSignature(filledEntriesOf(secrets)))
  const types: ReadonlySet<string> = new Set(entriesOf(WEBHOOK_EVENTS))
  const http = new HttpPost({ allowPrivate })
  const queue = queueInProcess(app, types)
  const dispatcher = new Dispatcher({
    ...{ queue, url, types, sign, now, metrics, log },
    post: (url, headers, body) => http.send(url, headers, body),
    userAgent: `ws-payment-server/${VERSION}`,
    random: Math.random
  })
  queue.start((roomId) => dispatcher.work(roomId))
  app.decorate('notifier', { queue })
  app.addHook('onClose', async () => {
    dispatcher.stop()
    await Promise.race([queue.close(), sleep(CLOSE_TIMEOUT, undefined, { ref: false })])
    http.close()
  })
}, { name: 'notifier', dependencies: ['changes', 'metrics'] })

/** Queue in this process, which gets its deliveries from the changes that this process makes. */
function queueInProcess (app: FastifyInstance, types: ReadonlySet<string>): DeliveryQueue {
  const { changes, config: { WEBHOOK_URL }, log, metrics, now, monotonic } = app
  const queue = new MemoryQueue({
    now,
    monotonic,
    onDropped: ({ id, change: { roomId } }) => {
      metrics.webhooksDropped.inc()
      log.error({ roomId, deliveryId: id }, 'webhook dropped, since too many wait')
    },
    onFailed: (err) => log.error({ err }, 'webhooks of a room failed')
  })
  changes.listen((change) => {
    if ((change.webhookUrl ?? WEBHOOK_URL) !== undefined && types.has(typeOf(change))) queue.add(deliveryOf(change, change.webhookUrl))
  })
  const timer = setInterval(() => queue.tick(), TICK_INTERVAL).unref()
  app.addHook('onClose', async () => clearInterval(timer))
  return queue
}
