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
      summary: 'Check liveness',
      description: 'For liveness probes. Returns 200 as long as the process can respond.',
      security: [],
      response: { 200: Ref(Health, 'The process is alive.'), ...errorResponses(400, 500) }
    }
  }, async () => ({ status: 'ok' as const, timestamp: app.now() }))
}
export default route
