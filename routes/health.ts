// GET /health: liveness of the process. It covers nothing else, so that an outage of the broker causes no restart of a node.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { errorResponses, Health } from '../src/protocol/rest.js'
import { Ref } from '../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/health', {
    config: { action: 'public' },
    schema: {
      operationId: 'getHealth',
      tags: ['Server'],
      summary: 'Whether the process lives',
      description: 'For liveness probes: it answers as long as the process can answer at all.',
      security: [],
      response: { 200: Ref(Health, 'It lives.'), ...errorResponses(400, 500) }
    }
  }, async () => ({ status: 'ok' as const, timestamp: app.now() }))
}
export default route
