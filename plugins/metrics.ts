// Decorates `metrics`: the Prometheus metrics that /metrics exposes.
import fp from 'fastify-plugin'
import { Metrics } from '../src/metrics/metrics.js'

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}

export default fp(async (app) => {
  const metrics = new Metrics()
  metrics.measureProcess()
  app.decorate('metrics', metrics)
  app.addHook('onClose', async () => metrics.stop())
}, { name: 'metrics' })
