// Decorates `sessions`: the open connections of this node. Its heartbeat closes unresponsive ones, and those whose deadline has passed.
import fp from 'fastify-plugin'
import { SessionRegistry } from '../src/sessions/session-registry.js'

declare module 'fastify' {
  interface FastifyInstance {
    sessions: SessionRegistry
  }
}

export default fp(async (app) => {
  const { config, connectionLimits: limits, log, monotonic } = app
  const sessions = new SessionRegistry({
    limits, log, monotonic, heartbeat: config.HEARTBEAT_SECONDS * 1000, pongDeadline: config.HEARTBEAT_TIMEOUT_SECONDS * 1000
  })
  app.decorate('sessions', sessions)
  app.addHook('onClose', async () => sessions.stop())
}, { name: 'sessions', dependencies: ['connection-limits'] })
