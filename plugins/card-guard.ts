// Refuses card data over REST: URL parameters, query, body and the headers that are kept have the limits of a WebSocket message, and are refused alike.
import fp from 'fastify-plugin'
import { Failure } from '../src/errors.js'
import { checkLimits } from '../src/protocol/limits.js'
import { actionOf } from './guards.js'

export default fp(async (app) => {
  app.addHook('preHandler', async (request, reply) => {
    if (actionOf(request) === 'public') return
    const { params, query, headers, body } = request
    const ids = { 'idempotency-key': headers['idempotency-key'], 'last-event-id': headers['last-event-id'] }
    const failure = checkLimits(params) ?? checkLimits(query) ?? checkLimits(ids) ?? checkLimits(body)
    // REST has no frames, so the code becomes INVALID_REQUEST.
    if (failure) return reply.fail(failure.code === 'INVALID_FRAME' ? new Failure('INVALID_REQUEST', failure.message, failure.details) : failure)
  })
}, { name: 'card-guard', dependencies: ['errors', 'guards', 'ws'] })
