// Router constraint (find-my-way) that separates WebSocket upgrades from other requests.
import type { IncomingMessage } from 'node:http'
import { isWebSocketUpgrade } from '../websocket/handshake.js'

/**
 * Constraint `upgrade`: a route with `upgrade: 'websocket'` receives only WebSocket upgrades, and is preferred for them. Routes without the constraint are not
 * affected, so a router can have it beside sockets of another origin.
 */
export const upgradeConstraint = {
  name: 'upgrade',
  mustMatchWhenDerived: false,
  storage: <Route>() => {
    const routes = new Map<string, Route>()
    return { get: (value: string) => routes.get(value) ?? null, set: (value: string, route: Route) => { routes.set(value, route) } }
  },
  validate: () => true,
  // To the router, undefined means "not an upgrade", although its types do not allow it.
  deriveConstraint: (request: Pick<IncomingMessage, 'headers' | 'httpVersion'>): string => (isWebSocketUpgrade(request) ? 'websocket' : undefined) as string
}

/** The same for a server whose sockets all have the constraint: no other route receives a WebSocket upgrade, so one at any other path is a true 404. */
export const strictUpgradeConstraint = { ...upgradeConstraint, mustMatchWhenDerived: true }
