// Guards REST against card data: URL parameters, query, body and the headers that are kept have the limits of a WebSocket message. Texts of a body are masked, all else is refused.
import fp from 'fastify-plugin'
import { Failure } from '../src/errors.js'
import type { Sender } from '../src/protocol/card-data.js'
import { checkLimits } from '../src/protocol/limits.js'
import { actionOf } from './guards.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Sender of a request: a backend only if it proved itself with an API key. */
    senderOf: (request: object) => Sender
    /** True if card numbers were masked in the body of a request. */
    isRedacted: (request: object) => boolean
  }
}

export default fp(async (app) => {
  const redacted = new WeakSet<object>()
  app.decorate('senderOf', (request) => ['backend', 'reader'].includes(app.claimsOf(request).principal) ? 'backend' : 'device')
  app.decorate('isRedacted', (request) => redacted.has(request))

  app.addHook('preHandler', async (request, reply) => {
    if (actionOf(request) === 'public') return
    const { params, query, headers, body } = request
    const ids = { 'idempotency-key': headers['idempotency-key'], 'last-event-id': headers['last-event-id'] }
    const sender = app.senderOf(request)
    const kept = { sender, masks: false }
    const guarded = request.routeOptions.config.checksBody ? undefined : body
    const found = checkLimits(params, kept) ?? checkLimits(query, kept) ?? checkLimits(ids, kept) ?? checkLimits(guarded, { sender })
    if (found instanceof Failure) {
      // REST has no frames, so the code becomes INVALID_REQUEST.
      return reply.fail(found.code === 'INVALID_FRAME' ? new Failure('INVALID_REQUEST', found.message, found.details) : found)
    }
    if (!found) return
    found.apply()
    redacted.add(request)
  })
}, { name: 'card-guard', dependencies: ['auth', 'errors', 'guards', 'ws'] })
