// GET /api/funnel: payments by the milestones that they reached.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Failure } from '../../src/errors.js'
import { FunnelQuery, FunnelReportResponse } from '../../src/protocol/rest-funnel.js'
import { errorResponses, success } from '../../src/protocol/rest.js'
import { Ref } from '../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/funnel', {
    config: { action: 'inspect' },
    schema: {
      operationId: 'getFunnel',
      tags: ['Server'],
      summary: 'Get the funnel',
      description: 'Returns how many payments of all nodes reached each step in the last hour, day or week, how many were lost between two steps, the time that they took, and the methods. ' +
        'Each payment counts once for a step, however often its payer retries.',
      security: [{ apiKey: [] }, {}],
      querystring: FunnelQuery,
      response: { 200: Ref(FunnelReportResponse, 'The funnel.'), ...errorResponses(400, 401, 403, 429, 500, 503) }
    }
  }, async ({ query: { window } }, reply) => {
    const report = await app.funnel.report(window)
    return report instanceof Failure ? reply.fail(report) : success(report, app.now())
  })
}
export default route
