// Who calls the REST API: decorates requests with `claims`, and refuses callers without a key where keys are set.
import fp from 'fastify-plugin'
import { ApiKeys } from '../src/auth/api-keys.js'
import type { Claims } from '../src/auth/policy.js'
import { Failure } from '../src/errors.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is speaking. On an open server nobody has proved to be a backend. */
    claims: Claims
  }
}

export default fp(async (app) => {
  const keys = new ApiKeys(app.config.API_KEYS)
  const device: Claims = { speaker: 'device' }
  const backend: Claims = { speaker: 'backend' }
  if (!keys.required) app.log.warn('the API is open: set API_KEYS so that only your backends can use it')

  app.decorateRequest('claims')
  app.addHook('onRequest', async (request, reply) => {
    request.claims = device
    if (!keys.required || !request.routeOptions.url?.startsWith('/api/')) return
    if (!keys.accepts(request.headers.authorization)) return reply.header('www-authenticate', 'Bearer').fail(new Failure('UNAUTHORIZED'))
    request.claims = backend
  })
}, { name: 'auth', dependencies: ['errors', 'rate-limit', 'ws'] })
