// Decorates `webhooks`: the inbox of the payment providers that are configured, and its refused deliveries.
import fp from 'fastify-plugin'
import { Inbox } from '../src/providers/inbox.js'
import { loadProviders } from '../src/providers/providers.js'
import { refusedInProcess, refusedInRedis, type RefusedDeliveries } from '../src/providers/refused.js'

declare module 'fastify' {
  interface FastifyInstance {
    webhooks: { readonly inbox: Inbox, readonly refused: RefusedDeliveries }
  }
}

export default fp(async (app) => {
  const { broker, config, metrics, redis, rooms, log } = app
  const providers = await loadProviders(config)
  const refused = redis ? refusedInRedis(redis.commands, `${config.REDIS_PREFIX}:@refused`) : refusedInProcess()
  app.decorate('webhooks', { inbox: new Inbox({ providers, rooms, broker, refused, metrics, log }), refused })
  if (providers.size > 0) log.info({ providers: [...providers.keys()] }, 'webhooks of payment providers are accepted')
}, { name: 'webhooks', dependencies: ['broker', 'metrics', 'redis', 'rooms'] })
