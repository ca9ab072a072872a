// One interception per server, shared by all that claim connections there: a connection cannot be intercepted twice.
import type { Server } from 'node:net'
import { interceptConnections, type TryClaim } from './intercept.js'

interface Shared {
  readonly claims: Set<TryClaim>
  readonly stop: () => void
}

const SERVERS = new WeakMap<Server, Shared>()

/**
 * Same as {@link interceptConnections}, for any number of callers per server. A connection goes to the first that claims it, and otherwise to the server.
 * @returns a function that ends this caller's claims; the last one stops the interception
 */
export function shareConnections (server: Server, tryClaim: TryClaim): () => void {
  let shared = SERVERS.get(server)
  if (!shared) {
    const claims = new Set<TryClaim>()
    const stop = interceptConnections(server, (connection, bytes) => {
      for (const claim of claims) if (claim(connection, bytes)) return true
      return false
    })
    shared = { claims, stop }
    SERVERS.set(server, shared)
  }
  const { claims, stop } = shared
  claims.add(tryClaim)
  return () => {
    if (claims.delete(tryClaim) && claims.size === 0) {
      stop()
      SERVERS.delete(server)
    }
  }
}
