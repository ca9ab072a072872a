// Authorises REST requests: refuses a caller without the right to a route's action, and decorates requests with `claims`, the identity of the caller.
import fp from 'fastify-plugin'
import { isAllowed, type Action, type Claims } from '../src/auth/policy.js'
import { Failure } from '../src/errors.js'
import { actionOf } from './credentials.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Identity of the caller. On an open server the principal is anonymous, never a proven backend. */
    claims: Claims
  }
}

export default fp(async (app) => {
  const settings = { resultsFrom: app.config.RESULTS_FROM }

  app.decorateRequest('claims', { getter () { return this.credentials as Claims } })
  app.addHook('onRequest', async (request, reply) => {
    const action = actionOf(request)
    if (!action) return
    const { credentials, params } = request
    if (credentials instanceof Failure) return reply.header('www-authenticate', 'Bearer').fail(credentials)
    const { roomId } = params as { roomId: string }
    if (!isAllowed(credentials, { to: action, roomId } as Action, settings)) return reply.fail(new Failure('FORBIDDEN'))
  })
}, { name: 'auth', dependencies: ['credentials', 'errors', 'rate-limit', 'ws'] })
