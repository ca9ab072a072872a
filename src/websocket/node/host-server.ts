// Conditions of the host's server under which its connections must not be intercepted: listeners and options that apply to each connection as it is accepted.
import { channel } from 'node:diagnostics_channel'
import { maxHeaderSize, Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'

/** Listeners of 'connection' that an HTTP server has itself. */
const OWN_LISTENERS = 1

/** Options that Node.js applies to each connection as it accepts it; each is a property of the server under the same name. */
const ACCEPT_OPTIONS = ['keepAlive', 'pauseOnConnect', 'blockList'] as const

/** Channel on which Node.js publishes every net.Socket of a server. The reference keeps it alive: Node.js itself holds it weakly. */
const socketChannel = channel('net.server.socket')

export const CONNECTION_LISTENER = 'the server has a listener for `connection`'

/** True if somebody subscribed to the channel `net.server.socket`. */
export function isChannelWatched (): boolean { return socketChannel.hasSubscribers }

export const CHANNEL_SUBSCRIBER = 'the diagnostics channel `net.server.socket` has a subscriber'

/**
 * Reason not to intercept the connections of a listening server.
 * @param headSize longest request head that is accepted without the HTTP server, bytes
 */
export function reasonNotToIntercept (server: Server, headSize: number): string | undefined {
  if (!(server instanceof HttpServer)) return 'the server is not an HTTP server without TLS'
  if (typeof server.address() === 'string') return 'the server listens on a Unix domain socket'
  if (server.listenerCount('connection') > OWN_LISTENERS) return CONNECTION_LISTENER
  if (isChannelWatched()) return CHANNEL_SUBSCRIBER
  const options = server as HttpServer & { readonly [option in typeof ACCEPT_OPTIONS[number] | 'maxHeaderSize']?: unknown }
  const option = ACCEPT_OPTIONS.find((name) => options[name])
  if (option) return `the server has the option \`${option}\``
  if (Number(options.maxHeaderSize ?? maxHeaderSize) < headSize) return `the server accepts less than ${headSize} bytes of headers`
  return undefined
}
