// GET /metrics: metrics in the Prometheus text format.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { Type } from '@sinclair/typebox'
import { errorResponses } from '../src/protocol/rest.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  const { broker, metrics, rooms, sessions } = app

  app.get('/metrics', {
    // A scraper comes often, and one that is refused leaves a gap in the figures.
    config: { action: 'inspect', counted: false },
    schema: {
      operationId: 'getMetrics',
      tags: ['Server'],
      summary: 'Get metrics',
      description: 'Returns the metrics of the node that responds, in the Prometheus text format. The `HELP` lines describe them.',
      security: [{ apiKey: [] }, {}],
      response: {
        200: { description: 'The metrics.', content: { 'text/plain': { schema: Type.String({ examples: ['wsp_rooms 2'] }) } } },
        ...errorResponses(400, 401, 403, 500)
      }
    }
  }, async (_request, reply) => {
    metrics.rooms.set(rooms.size)
    metrics.brokerUp.set(broker.ready() ? 1 : 0)
    const oldest = await app.notifier?.queue.oldest()
    metrics.oldestWebhook.set(oldest === undefined ? 0 : Math.max(0, app.now() - oldest) / 1000)
    for (const [transport, count] of Object.entries(sessions.counts())) metrics.connections.set({ transport }, count)
    reply.type(metrics.registry.contentType)
    // The types of a route know JSON responses alone.
    return (reply as FastifyReply).send(await metrics.registry.metrics())
  })
}
export default route
