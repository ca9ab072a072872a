// Decorates `credentialsOf`: identifies REST callers, before any request is counted or refused.
import fp from 'fastify-plugin'
import { ApiKeys, bearerOf } from '../src/auth/api-keys.js'
import { ANONYMOUS, type Claims } from '../src/auth/policy.js'
import { Failure } from '../src/errors.js'
import { actionOf } from './guards.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Claims of the caller's API key or room token, anonymous claims on an open server, or the failure that its credentials cause; not on public routes. A
     * property of the request could be another plugin's.
     */
    credentialsOf: (request: object) => Claims | Failure
  }
}

export default fp(async (app) => {
  const { config: { API_KEYS }, tokens, log } = app
  const keys = new ApiKeys(API_KEYS)
  if (!keys.required) log.warn('the API is open to every client: set API_KEYS')

  async function identify (authorization: string | undefined): Promise<Claims | Failure> {
    if (!keys.required) return ANONYMOUS
    const bearer = bearerOf(authorization)
    if (bearer === undefined) return new Failure('UNAUTHORIZED')
    // API keys first: a key may have any form. Of other texts, only three parts with dots between them can be a token (RFC 7515 §7.1).
    const claims = keys.claimsOf(bearer)
    if (claims) return claims
    return tokens && bearer.split('.').length === 3 ? tokens.verify(bearer) : new Failure('UNAUTHORIZED')
  }

  const credentials = new WeakMap<object, Claims | Failure>()
  app.decorate('credentialsOf', (request) => credentials.get(request)!)
  app.addHook('onRequest', async (request) => {
    if (actionOf(request) !== 'public') credentials.set(request, await identify(request.headers.authorization))
  })
}, { name: 'credentials', dependencies: ['cors', 'errors', 'guards', 'helmet', 'tokens', 'ws'] })
