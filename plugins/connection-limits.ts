// How many connections are taken: decorates `admission`, asked before a socket or an event stream is opened.
import fp from 'fastify-plugin'
import { Admission } from '../src/sessions/connection-limits.js'

declare module 'fastify' {
  interface FastifyInstance {
    admission: Admission
  }
}

export default fp(async (app) => {
  const { MAX_CONNECTIONS: maxConnections, MAX_CONNECTIONS_PER_IP: maxPerAddress } = app.config
  app.decorate('admission', new Admission({ maxConnections, maxPerAddress }))
}, { name: 'admission' })
