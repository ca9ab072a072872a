// The room log: decorates `broker`, and sweeps out the rooms whose retention has passed.
import { randomBytes } from 'node:crypto'
import fp from 'fastify-plugin'
import type { Broker } from '../src/broker/broker.js'
import { MemoryBroker } from '../src/broker/memory.js'

/** Time between two sweeps, ms. A room that ended in between is already gone for whoever asks; its members are told by the sweep. */
export const SWEEP_INTERVAL = 1_000

declare module 'fastify' {
  interface FastifyInstance {
    broker: Broker
  }
}

export default fp(async (app) => {
  const { config, log, now } = app
  const broker = new MemoryBroker({
    logSize: config.ROOM_LOG_SIZE,
    retention: config.ROOM_RETENTION_SECONDS * 1000,
    now,
    newEpoch: () => randomBytes(9).toString('base64url'),
    onRoom: (change, roomId) => log.info({ roomId }, `room ${change}`)
  })
  app.decorate('broker', broker)

  const timer = setInterval(() => {
    const removed = broker.sweep()
    if (removed > 0) log.info({ removed, kept: broker.size }, 'rooms swept')
  }, SWEEP_INTERVAL).unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await broker.close()
  })
}, { name: 'broker' })
