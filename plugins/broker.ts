// Decorates `broker`: the room log, in this process or in Redis depending on the configuration. Runs its tick.
import { randomBytes } from 'node:crypto'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Broker } from '../src/broker/broker.js'
import { instrumentBroker } from '../src/broker/instrument-broker.js'
import { MemoryBroker } from '../src/broker/memory/memory-broker.js'
import type { RedisNews } from '../src/broker/redis/availability.js'
import type { RedisClients } from '../src/broker/redis/clients.js'
import type { Trouble } from '../src/broker/redis/trouble.js'
import { EVENTS } from '../src/protocol/events.js'

/** Interval between two ticks, ms. A room that ended in between is already gone for every caller; its members are notified by the tick. */
export const TICK_INTERVAL = 1_000

declare module 'fastify' {
  interface FastifyInstance {
    broker: Broker
  }
}

export default fp(async (app) => {
  const { log, metrics } = app
  const options = sharedOptions(app)
  // Calls to the in-process broker are part of the relay time; measuring each of them would cost more than it tells.
  const broker = app.redis ? instrumentBroker(await redisBroker(app, app.redis, options), metrics.broker) : await embeddedBroker(app, options)
  app.decorate('broker', broker)

  const timer = setInterval(() => {
    broker.tick().catch((err: unknown) => log.error({ err }, 'broker maintenance failed'))
  }, TICK_INTERVAL).unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await broker.close()
  })
}, { name: 'broker', dependencies: ['changes', 'funnel', 'journal', 'metrics', 'outbox', 'redis', 'transport'] })

type SharedOptions = ReturnType<typeof sharedOptions>

/** Options of either broker. */
function sharedOptions (app: FastifyInstance) {
  const { config, log, monotonic } = app
  return {
    logSize: config.ROOM_LOG_SIZE,
    retention: config.ROOM_RETENTION_SECONDS * 1000,
    lateResults: config.LATE_RESULTS_SECONDS * 1000,
    stall: config.STALL_SECONDS === 0 ? undefined : config.STALL_SECONDS * 1000,
    monotonic,
    frames: app.transport.frames,
    newEpoch: epochs(),
    onLinkExpired: (roomId: string) => noteExpiry(app, roomId),
    onRoom: (change: string, roomId: string) => {
      if (change === 'created') app.funnel.created()
      log.info({ roomId }, `room ${change}`)
    }
  }
}

function newName (): string { return randomBytes(9).toString('base64url') }

/** @returns a source of epochs. With Redis every event offers a new one, so an epoch must cost nothing: a counter behind a name of this process. */
function epochs (): () => string {
  const name = newName()
  let count = 0
  return () => `${name}${(++count).toString(36)}`
}

/** Rooms of this process: in memory, and in a journal if there is a folder for it. */
async function embeddedBroker ({ dataFolder, keptDeliveries, log, now, transport: { batch } }: FastifyInstance, shared: SharedOptions): Promise<Broker> {
  const options = { ...shared, now, onSweep: (removed: number, kept: number) => log.info({ removed, kept }, 'expired rooms removed') }
  if (!dataFolder) return new MemoryBroker(options)
  const { journalBroker } = await import('../src/broker/journal/restore.js')
  return journalBroker(dataFolder, { ...options, isHeld: () => batch.isOpen, keepWith: (change) => keptDeliveries?.keepWith(change) })
}

/** Rooms that nodes share, by the clock of Redis. Its code is imported only if needed, with the library: see redis.ts. */
async function redisBroker ({ changes, config, log, outbox }: FastifyInstance, connection: RedisClients, options: SharedOptions): Promise<Broker> {
  const { RedisBroker } = await import('../src/broker/redis/redis-broker.js')
  return new RedisBroker({
    ...options,
    outbox,
    connection,
    prefix: config.REDIS_PREFIX,
    node: newName(),
    // Changes that the node made last, or that were on their way, may be missing in the feed.
    onNodeDied: () => changes.feed.pushGap(),
    onNews: (news) => {
      if (news.what === 'down') changes.feed.pushGap()
      logNews(log, connection.address.hosts.map(({ host, port }) => `${host}:${port}`), news)
    }
  })
}

/** Counts and logs an event that comes from the broker itself; all others come from the publisher. */
function noteExpiry ({ metrics, log }: FastifyInstance, roomId: string): void {
  metrics.published('PAYMENT_EXPIRED', 'server')
  log.info({ roomId }, EVENTS.PAYMENT_EXPIRED.sentence)
}

/** Logs reasons and codes, never the library's errors: they hold the commands, and with them payloads. */
function logNews (log: FastifyBaseLogger, hosts: readonly string[], news: RedisNews): void {
  switch (news.what) {
    case 'up': return log.info('Redis connected')
    case 'down': return log.error({ hosts, ...fieldsOf(news.trouble) }, `Redis cannot be ${news.trouble.kind === 'unreachable' ? 'reached' : 'used'}: ${news.trouble.reason}`)
    case 'refused': return log.error(fieldsOf(news.trouble), `Redis rejected a command: ${news.trouble.reason}`)
    case 'evicts': return log.warn({ policy: news.policy }, `Redis may evict rooms that are in use: set its maxmemory-policy to noeviction instead of ${news.policy}`)
    case 'failed': return log.error({ err: news.error }, 'broker failed')
  }
}

function fieldsOf ({ code, reason, shard }: Trouble): Omit<Trouble, 'kind'> { return { code, reason, ...(shard !== undefined && { shard }) } }
