// Guards hang on routes: each route declares the action that a caller must be allowed, and one that declares none is refused at registration.
import type { FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Action } from '../src/auth/policy.js'

/** Action of a route; `public`: the caller need not be identified. */
export type RouteAction = Exclude<Action['to'], 'join'> | 'public'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Action of the route. Required, unless the context has a `routeAction`. */
    action?: RouteAction
    /** False: requests are not counted by the rate limit. Public routes never are. */
    counted?: boolean
    /** True: the card guard leaves the body to the route, which checks each of its events as a message. */
    checksBody?: boolean
    /** Maximum requests per second from one address, for a public route. */
    maxRate?: number
  }
  interface FastifyInstance {
    /** Action of the context's routes that declare none, for contexts whose routes a library registers. Default: undefined, so that they are refused. */
    routeAction: RouteAction | undefined
  }
}

/** Action of a request. A route that was registered before the guards could look at it needs the most; an address without a route is public. */
export function actionOf ({ is404, routeOptions: { config: { action } } }: FastifyRequest): RouteAction { return is404 ? 'public' : action ?? 'manage' }

export default fp(async (app) => {
  app.decorate('routeAction', undefined)
  app.addHook('onRoute', function (route: RouteOptions) {
    // A preflight has no credentials (Fetch standard §3.2.2), and @fastify/cors takes no action for its route.
    const action = route.config?.action ?? (route.method === 'OPTIONS' ? 'public' : this.routeAction)
    if (action === undefined) throw new Error(`the route ${String(route.method)} ${route.url} declares no action`)
    route.config = { ...route.config, action }
    // A limit of its own, since the server's may be another one.
    route.bodyLimit ??= app.config.MAX_MESSAGE_BYTES
  })
}, { name: 'guards' })
