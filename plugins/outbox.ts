// Decorates `outbox`: the outbox of webhooks in Redis, on a server that sends them.
import fp from 'fastify-plugin'
import { Outbox } from '../src/broker/redis/outbox.js'
import { mayBeWanted } from '../src/webhooks/wanted.js'

declare module 'fastify' {
  interface FastifyInstance {
    outbox: Outbox | undefined
  }
}

export default fp(async (app) => {
  const { config: { WEBHOOK_SECRET, WEBHOOK_URL, WEBHOOK_EVENTS }, redis } = app
  const isOn = redis !== undefined && WEBHOOK_SECRET !== undefined
  app.decorate('outbox', isOn ? new Outbox({ everyRoom: WEBHOOK_URL !== undefined, mayBeWanted: mayBeWanted(WEBHOOK_EVENTS) }) : undefined)
}, { name: 'outbox', dependencies: ['redis'] })
