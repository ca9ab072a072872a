// Decorates `transport`: what all connections of this server share, so that the events of one batch go out as one write per socket.
import fp from 'fastify-plugin'
import { Transport } from '../src/websocket/transport.js'

declare module 'fastify' {
  interface FastifyInstance {
    transport: Transport
  }
}

export default fp(async (app) => {
  const { metrics, now, monotonic } = app
  app.decorate('transport', new Transport({ now, monotonic, onEvents: (latency, events) => metrics.relay.observe(latency / 1000, events) }))
}, { name: 'transport', dependencies: ['metrics'] })
