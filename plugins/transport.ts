// Decorates `transport`: what all connections of this server share, so that the events of one batch go out as one write per socket.
import fp from 'fastify-plugin'
import { Transport } from '../src/websocket/transport.js'

declare module 'fastify' {
  interface FastifyInstance {
    transport: Transport
  }
}

export default fp(async (app) => {
  const { metrics, dataFolder, now, monotonic } = app
  const journal = dataFolder?.journal
  app.decorate('transport', new Transport({
    now,
    monotonic,
    onEvents: (latency, events) => metrics.relay.observe(latency / 1000, events),
    // In mode `always` the broker itself waits for the disk.
    first: journal?.sync === 'always' ? undefined : journal
  }))
}, { name: 'transport', dependencies: ['journal', 'metrics'] })
