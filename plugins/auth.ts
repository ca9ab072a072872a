// Refuses who may not do what a REST route does: decorates requests with `claims`, for who was let in.
import fp from 'fastify-plugin'
import { isAllowed, type Action, type Claims } from '../src/auth/policy.js'
import { Failure } from '../src/errors.js'
import { actionOf } from './credentials.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is speaking. On an open server nobody has proved to be a backend. */
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
