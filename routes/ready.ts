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
      summary: 'Whether traffic may come here',
      description: 'For readiness probes and load balancers: 503 while the broker is away, the process is draining or cannot keep up.',
      security: [],
      response: { 200: Ref(Readiness, 'Traffic may come.'), 503: Ref(Readiness, 'No traffic, please; the checks say why.'), ...errorResponses(400, 500) }
    }
  }, async (_request, reply) => {
    const readiness = app.readiness()
    return reply.code(readiness.status === 'ready' ? 200 : 503).send(readiness)
  })
}
export default route
