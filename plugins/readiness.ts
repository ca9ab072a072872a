// Decorates `readiness`: the checks that /ready reports.
import fp from 'fastify-plugin'
import type { Readiness } from '../src/protocol/rest.js'

/** Median event-loop delay above which this node is not ready, ns. One long pause does not move a median. */
const MAX_DELAY = 250e6

/** Samples below which the event loop is not judged: one long task at start-up is no overload. */
const MIN_SAMPLES = 5

declare module 'fastify' {
  interface FastifyInstance {
    /** Current result of the checks. The event loop is judged by the samples since its last judgement. */
    readiness: () => Readiness
  }
}

export default fp(async (app) => {
  const { loopDelay: delay } = app.metrics
  let delayed = false
  app.decorate('readiness', () => {
    if (delay.count >= MIN_SAMPLES) {
      delayed = delay.percentile(50) > MAX_DELAY
      delay.reset()
    }
    const checks: Readiness['checks'] = {
      broker: app.broker.ready() ? 'up' : 'down',
      draining: app.sessions.draining,
      eventLoop: delayed ? 'delayed' : 'ok'
    }
    const reason = app.broker.unreadyReason()
    return { status: checks.broker === 'up' && !checks.draining && !delayed ? 'ready' : 'not ready', checks, ...(reason !== undefined && { reason }) }
  })
}, { name: 'readiness', dependencies: ['broker', 'metrics', 'sessions'] })
