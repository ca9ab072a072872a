// GET /ready: readiness of this node for traffic.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { errorResponses, Readiness } from '../src/protocol/rest.js'
import { Ref } from '../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/ready', {
    config: { action: 'public' },
    schema: {
      operationId: 'getReadiness',
      tags: ['Server'],
      summary: 'Check readiness',
      description: 'For readiness probes and load balancers. Returns 503 while the broker is unavailable, the process is draining or its event loop is overloaded.',
      security: [],
      response: { 200: Ref(Readiness, 'The node accepts traffic.'), 503: Ref(Readiness, 'The node does not accept traffic; `checks` shows the cause.'), ...errorResponses(400, 500) }
    }
  }, async (_request, reply) => {
    const readiness = app.readiness()
    return reply.code(readiness.status === 'ready' ? 200 : 503).send(readiness)
  })
}
export default route
