// Decorates `connectionLimits`: the connection limits, checked before a socket or an event stream is opened.
import fp from 'fastify-plugin'
import { ConnectionLimits } from '../src/sessions/connection-limits.js'

declare module 'fastify' {
  interface FastifyInstance {
    connectionLimits: ConnectionLimits
  }
}

export default fp(async (app) => {
  const { MAX_CONNECTIONS: maxConnections, MAX_CONNECTIONS_PER_IP: maxPerAddress } = app.config
  app.decorate('connectionLimits', new ConnectionLimits({ maxConnections, maxPerAddress }))
}, { name: 'connection-limits' })
