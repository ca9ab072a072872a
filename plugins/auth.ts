// Authorises REST requests: refuses a caller without the right to a route's action. Decorates `claimsOf`: the identity of the caller of a request that was not refused.
import fp from 'fastify-plugin'
import { isAllowed, type Action, type Claims } from '../src/auth/policy.js'
import { Failure } from '../src/errors.js'
import { actionOf } from './guards.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Identity of the caller. On an open server the principal is anonymous, never a proven backend. */
    claimsOf: (request: object) => Claims
  }
}

export default fp(async (app) => {
  const settings = { resultsFrom: app.config.RESULTS_FROM }

  app.decorate('claimsOf', (request) => app.credentialsOf(request) as Claims)
  app.addHook('onRequest', async (request, reply) => {
    const action = actionOf(request)
    if (action === 'public') return
    const credentials = app.credentialsOf(request)
    if (credentials instanceof Failure) return reply.header('www-authenticate', 'Bearer').fail(credentials)
    const { roomId } = request.params as { roomId: string }
    if (!isAllowed(credentials, { to: action, roomId } as Action, settings)) return reply.fail(new Failure('FORBIDDEN'))
  })
}, { name: 'auth', dependencies: ['credentials', 'errors', 'rate-limit', 'ws'] })
