// /api/webhooks/refused: the results of payment providers that broke a rule, for an operator.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ListRefusedQuery, RefusedDeliveriesResponse } from '../../../src/protocol/rest-webhooks.js'
import { errorResponses, success } from '../../../src/protocol/rest.js'
import { Ref } from '../../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/refused', {
    config: { action: 'inspect' },
    schema: {
      operationId: 'listRefusedDeliveries',
      tags: ['Webhooks'],
      summary: 'List refused results of providers',
      description: 'Lists the latest results of payment providers that were not logged, since they break a rule: the latest first, without their bodies. The provider got 422 and repeats them.',
      security: [{ apiKey: [] }, {}],
      querystring: ListRefusedQuery,
      response: { 200: Ref(RefusedDeliveriesResponse, 'The refused results.'), ...errorResponses(400, 401, 403, 429, 500, 503) }
    }
  }, async ({ query: { limit } }) => success({ deliveries: await app.webhooks.refused.list(limit) }, app.now()))
}
export default route
