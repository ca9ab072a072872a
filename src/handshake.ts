// What happens to an upgrade before it is a socket: which requests are one, and how long it may take.
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { headFault } from './http-head.js'

/** How long a handshake may take, from the upgrade request to the open socket, ms. HTTP's own timeouts stop at the upgrade. */
export const HANDSHAKE_TIMEOUT = 8_000

/**
 * A router constraint (find-my-way) that keeps upgrades and plain requests apart: a route that says `upgrade: 'websocket'`
 * sees upgrades alone, every other route never sees one. So an upgrade anywhere but at the socket's route is a true 404.
 */
export const upgradeConstraint = {
  name: 'upgrade',
  mustMatchWhenDerived: true,
  storage: <Route>() => {
    const routes = new Map<string, Route>()
    return { get: (value: string) => routes.get(value) ?? null, set: (value: string, route: Route) => { routes.set(value, route) } }
  },
  validate: () => true,
  // RFC 6455 §4.1: both headers make the upgrade; a proxy that only copies `Upgrade` sends a plain request.
  deriveConstraint: ({ headers }: Pick<IncomingMessage, 'headers'>): string => {
    const value = headers.upgrade && /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(headers.connection ?? '') ? headers.upgrade.toLowerCase() : undefined
    // Undefined means "not an upgrade" to the router, though its types do not say so.
    return value as string
  }
}

/**
 * What is wrong with a handshake (RFC 6455 §4.2.1), as a sentence. The library is more patient: it takes HTTP/1.0, and old
 * drafts of the protocol whose origin stands in another header than the one that we check.
 */
export function handshakeFault ({ httpVersion, headers }: Pick<IncomingMessage, 'httpVersion' | 'headers'>): string | undefined {
  if (httpVersion !== '1.1') return 'A WebSocket begins with HTTP/1.1.'
  if (String(headers['sec-websocket-version']) !== '13') return 'Sec-WebSocket-Version must be 13.'
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return 'Sec-WebSocket-Key must be 16 bytes in Base64.'
  return undefined
}

/**
 * Puts a hard limit on every handshake. Without it, one that the router refuses oddly, or whose hook hangs, stays open for ever.
 * @param timeout ms
 * @returns a function that takes the limit off a request whose handshake is done
 */
export function limitHandshakes (server: Server, timeout: number): (request: IncomingMessage) => void {
  const done = new WeakMap<IncomingMessage, () => void>()
  // Before all other listeners: they may throw.
  server.prependListener('upgrade', (request: IncomingMessage, socket: Duplex) => {
    const timer = setTimeout(() => socket.destroy(), timeout).unref()
    const stop = () => clearTimeout(timer)
    socket.once('close', stop)
    done.set(request, () => {
      stop()
      socket.off('close', stop)
    })
  })
  return (request) => done.get(request)?.()
}

/** Whether it is a handshake as it should be, at the socket's route, as far as that can be told without the router. */
export function isPlainHandshake (request: IncomingMessage): boolean {
  const { method, url = '' } = request
  return method === 'GET' && (url === '/' || url.startsWith('/?')) && upgradeConstraint.deriveConstraint(request) === 'websocket' && !headFault(request)
}

/**
 * Puts something before all that takes upgrades so far.
 * @param take returns whether it has taken the upgrade
 */
export function interceptUpgrades (server: Server, take: (request: IncomingMessage, network: Duplex, head: Buffer) => boolean): void {
  const others = server.listeners('upgrade')
  server.removeAllListeners('upgrade').on('upgrade', (request: IncomingMessage, network: Duplex, head: Buffer) => {
    if (!take(request, network, head)) for (const other of others) other.call(server, request, network, head)
  })
}
