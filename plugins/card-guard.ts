// No card data over REST: what a request carries in its address, its body and the headers that are kept has the bounds of a frame, and is refused alike.
import fp from 'fastify-plugin'
import { Failure } from '../src/errors.js'
import { checkLimits } from '../src/protocol/limits.js'

export default fp(async (app) => {
  app.addHook('preHandler', async ({ routeOptions: { url }, params, query, headers, body }, reply) => {
    if (!url?.startsWith('/api/')) return
    const kept = { 'idempotency-key': headers['idempotency-key'], 'last-event-id': headers['last-event-id'] }
    const failure = checkLimits(params) ?? checkLimits(query) ?? checkLimits(kept) ?? checkLimits(body)
    // There are no frames here.
    if (failure) return reply.fail(failure.code === 'INVALID_FRAME' ? new Failure('INVALID_REQUEST', failure.message, failure.details) : failure)
  })
}, { name: 'card-guard', dependencies: ['errors', 'ws'] })
