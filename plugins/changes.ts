// Decorates `changes`: the changes that this node makes to rooms. Counts the payments that stall.
import fp from 'fastify-plugin'
import { Changes } from '../src/changes/changes.js'

declare module 'fastify' {
  interface FastifyInstance {
    changes: Changes
  }
}

export default fp(async (app) => {
  const changes = new Changes()
  changes.listen(({ cause }) => { if (cause === 'stalled') app.metrics.stalls.inc() })
  app.decorate('changes', changes)
}, { name: 'changes', dependencies: ['metrics'] })
