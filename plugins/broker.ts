// The room log: decorates `broker`, in this process or in Redis as the settings say, and lets it do what is due.
import { randomBytes } from 'node:crypto'
import fp from 'fastify-plugin'
import type { Broker } from '../src/broker/broker.js'
import { measured } from '../src/broker/measured.js'
import { MemoryBroker } from '../src/broker/memory.js'
import { RedisBroker } from '../src/broker/redis.js'

/** Time between two ticks, ms. A room that ended in between is already gone for whoever asks; its members are told by the tick. */
export const TICK_INTERVAL = 1_000

declare module 'fastify' {
  interface FastifyInstance {
    broker: Broker
  }
}

export default fp(async (app) => {
  const { config, redis, log, now, monotonic } = app
  const newName = () => randomBytes(9).toString('base64url')
  // Over Redis one is offered with each event, so that it must cost nothing: names of this process, counted.
  const name = newName()
  let epochs = 0
  const newEpoch = () => `${name}${(++epochs).toString(36)}`
  const options = {
    logSize: config.ROOM_LOG_SIZE,
    retention: config.ROOM_RETENTION_SECONDS * 1000,
    monotonic,
    newEpoch,
    onRoom: (change: string, roomId: string) => log.info({ roomId }, `room ${change}`)
  }
  // What happens in this process is part of the time to relay; timing it by itself would cost more than it says.
  const broker: Broker = redis === undefined
    ? new MemoryBroker({ ...options, now, onSweep: (removed, kept) => log.info({ removed, kept }, 'rooms swept') })
    : measured(new RedisBroker({
      // Without `now`: rooms that many nodes share begin and end by the clock of Redis.
      ...options,
      connection: redis,
      prefix: config.REDIS_PREFIX,
      node: newName(),
      onTrouble: (what, err) => {
        if (what === 'ready') log.info('Redis is there')
        else if (what === 'lost') log.error('Redis is away: nothing is accepted until it is back')
        else log.error({ err }, what === 'refused' ? 'Redis refused a command' : 'broker failed')
      }
    }), app.metrics.broker)
  app.decorate('broker', broker)

  const timer = setInterval(() => {
    broker.tick().catch((err: unknown) => log.error({ err }, 'broker could not do what is due'))
  }, TICK_INTERVAL).unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await broker.close()
  })
}, { name: 'broker', dependencies: ['metrics', 'redis'] })
