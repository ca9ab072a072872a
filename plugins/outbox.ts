// Decorates `outbox` and `keptDeliveries`: where the changes of a room wait until they are sent as webhooks, in Redis or in the journal, on a server that sends them.
import fp from 'fastify-plugin'
import { Outbox } from '../src/broker/redis/outbox.js'
import { KeptDeliveries } from '../src/webhooks/kept-deliveries.js'
import { isWanted, mayBeWanted } from '../src/webhooks/wanted.js'

declare module 'fastify' {
  interface FastifyInstance {
    outbox: Outbox | undefined
    keptDeliveries: KeptDeliveries | undefined
  }
}

export default fp(async (app) => {
  const { config: { WEBHOOK_SECRET, WEBHOOK_URL, WEBHOOK_EVENTS }, dataFolder, redis } = app
  const isOn = WEBHOOK_SECRET !== undefined
  app.decorate('outbox', isOn && redis ? new Outbox({ everyRoom: WEBHOOK_URL !== undefined, mayBeWanted: mayBeWanted(WEBHOOK_EVENTS) }) : undefined)
  app.decorate('keptDeliveries', isOn && dataFolder ? new KeptDeliveries({ kept: dataFolder.kept, isWanted: isWanted(WEBHOOK_EVENTS, WEBHOOK_URL) }) : undefined)
}, { name: 'outbox', dependencies: ['journal', 'redis'] })
