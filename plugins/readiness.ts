// Whether traffic may come here: decorates `readiness`, asked by /ready.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import fp from 'fastify-plugin'
import type { Readiness } from '../src/protocol/rest.js'

/** Time between two looks at the event loop, which is part of the delay that is measured, ms. Each look wakes the process. */
const RESOLUTION = 100

/** Median delay of the event loop past which this node asks for no more traffic, ns. One long pause does not move a median. */
const MAX_DELAY = 250e6

/** Turns of the event loop below which nothing can be said of it: one long task at start-up is no overload. */
const MIN_SAMPLES = 5

declare module 'fastify' {
  interface FastifyInstance {
    /** The checks as of now; the event loop is judged since the last time that it could be. */
    readiness: () => Readiness
  }
}

export default fp(async (app) => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  app.addHook('onClose', async () => { delay.disable() })

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
}, { name: 'readiness', dependencies: ['broker', 'sessions'] })
