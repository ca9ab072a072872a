// Identifies REST callers: decorates requests with `credentials`, before any request is counted or refused.
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ApiKeys, bearerOf } from '../src/auth/api-keys.js'
import { ANONYMOUS, type Action, type Claims } from '../src/auth/policy.js'
import { Failure } from '../src/errors.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's action. Under /api/ the default is `manage`, which requires the most; any other route without an action is public. */
    action?: Exclude<Action['to'], 'join'>
  }
  interface FastifyRequest {
    /** Claims of the caller's API key or room token, anonymous claims on an open server, or the failure that its credentials cause. */
    credentials: Claims | Failure
  }
}

/** Action of a request; undefined if the caller need not be identified. */
export function actionOf ({ routeOptions: { url, config: { action } } }: FastifyRequest): Exclude<Action['to'], 'join'> | undefined {
  return action ?? (url?.startsWith('/api/') ? 'manage' : undefined)
}

export default fp(async (app) => {
  const { config: { API_KEYS }, tokens, log } = app
  const keys = new ApiKeys(API_KEYS)
  if (!keys.required) log.warn('the API is open: set API_KEYS so that only your backends can use it')

  async function credentialsOf (authorization: string | undefined): Promise<Claims | Failure> {
    if (!keys.required) return ANONYMOUS
    const bearer = bearerOf(authorization)
    if (bearer === undefined) return new Failure('UNAUTHORIZED')
    // API keys first: a key may have any form. Of other texts, only three parts with dots between them can be a token (RFC 7515 §7.1).
    const claims = keys.claimsOf(bearer)
    if (claims) return claims
    return tokens && bearer.split('.').length === 3 ? tokens.verify(bearer) : new Failure('UNAUTHORIZED')
  }

  app.decorateRequest('credentials')
  app.addHook('onRequest', async (request) => {
    if (actionOf(request)) request.credentials = await credentialsOf(request.headers.authorization)
  })
}, { name: 'credentials', dependencies: ['cors', 'errors', 'helmet', 'tokens', 'ws'] })
