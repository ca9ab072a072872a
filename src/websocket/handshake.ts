// What happens to an upgrade before it is a socket: which requests are one, and how long it may take.
import { hash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How long a handshake may take, from the upgrade request to the open socket, ms. HTTP's own timeouts stop at the upgrade. */
export const HANDSHAKE_TIMEOUT = 8_000

/** Header lines of one request. Past its own limit Node.js drops them without a word, be it the one that says who is asking. */
export const MAX_HEADERS = 100

/** One of the comma-separated tokens of `Upgrade`, and of `Connection`. */
const WEBSOCKET = /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i
const UPGRADE = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i

/**
 * Tells a WebSocket upgrade from all other requests, an upgrade to another protocol among them. Both headers make it (RFC 6455 §4.1): a proxy that only copies
 * `Upgrade` sends a plain request. `websocket` may be one of several protocols on offer (§4.2.1), and HTTP/1.0 has no upgrades (RFC 9110 §7.8).
 */
export function isWebSocketUpgrade ({ httpVersion, headers: { upgrade, connection = '' } }: Pick<IncomingMessage, 'headers' | 'httpVersion'>): boolean {
  return upgrade !== undefined && httpVersion !== '1.0' && WEBSOCKET.test(upgrade) && UPGRADE.test(connection)
}

/**
 * A router constraint (find-my-way) that keeps WebSocket upgrades and other requests apart: a route that says `upgrade: 'websocket'`
 * sees these upgrades alone, every other route never sees one. So a WebSocket upgrade anywhere but at the socket's route is a true 404.
 */
export const upgradeConstraint = {
  name: 'upgrade',
  mustMatchWhenDerived: true,
  storage: <Route>() => {
    const routes = new Map<string, Route>()
    return { get: (value: string) => routes.get(value) ?? null, set: (value: string, route: Route) => { routes.set(value, route) } }
  },
  validate: () => true,
  // Undefined means "not an upgrade" to the router, though its types do not say so.
  deriveConstraint: (request: Pick<IncomingMessage, 'headers' | 'httpVersion'>): string => (isWebSocketUpgrade(request) ? 'websocket' : undefined) as string
}

/**
 * Option of Node.js's HTTP servers, from 24.9 and late versions of 22 on: an upgrade to another protocol stays a plain request, as RFC 9110 §7.8 allows. Java's
 * HttpClient offers `h2c` with every request. Older versions know no such option; there {@link webSocketUpgrades} does it.
 */
export function shouldUpgradeCallback (this: Server, request: IncomingMessage): boolean {
  return this.listenerCount('upgrade') > 0 && isWebSocketUpgrade(request)
}

/**
 * Refuses a WebSocket upgrade that announces a body. Up to Node.js 24 its bytes are taken for the first frames; since 26 they are a body, and one that
 * does not come ends in an HTTP answer on an open socket.
 */
export function checkUpgrade (request: Pick<IncomingMessage, 'headers' | 'httpVersion'>): { status: number, message: string } | undefined {
  const { 'transfer-encoding': encoding, 'content-length': length = 0 } = request.headers
  const hasBody = encoding !== undefined || Number(length) !== 0
  return hasBody && isWebSocketUpgrade(request) ? { status: 400, message: 'An upgrade must have no body.' } : undefined
}

/** A handshake as far as anyone asks for it; a request of Node.js is one. */
export interface Handshake {
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
}

/**
 * What is wrong with a handshake (RFC 6455 §4.2.1), as a sentence. The library is more patient: it takes HTTP/1.0, and old
 * drafts of the protocol whose origin stands in another header than the one that we check.
 */
export function checkHandshake ({ httpVersion, headers }: Handshake): string | undefined {
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

/**
 * Waits until all requests that came before an upgrade on its connection are answered: responses leave in the order of their requests (RFC 9112 §9.3.2).
 * @param next called at once where there are none, and never where the connection does not outlive them
 */
export function afterResponses (socket: Duplex, next: () => void): void {
  // Undocumented, but it is what `ServerResponse.assignSocket` throws for; without it `next` is called at once.
  const response = (socket as { _httpMessage?: ServerResponse | null })._httpMessage
  if (!response) return next()
  // Node.js has taken its own listener away with the upgrade, and an error that nobody listens to ends the process.
  const destroy = () => socket.destroy()
  socket.on('error', destroy)
  response.once('close', () => {
    socket.off('error', destroy)
    // A response may end the connection, as `Connection: close` asks for.
    if (socket.writable) afterResponses(socket, next)
  })
}

export interface WebSocketUpgrades {
  /** Emits `upgrade` as the server does, for WebSocket upgrades alone. */
  readonly upgrades: EventEmitter
  /** Takes the limit off a request whose handshake is done. */
  readonly handshakeDone: (request: IncomingMessage) => void
}

/**
 * Picks the WebSocket upgrades from all upgrades of a server, and limits them by {@link limitHandshakes}. The others are served as plain requests.
 * @param timeout ms
 */
export function webSocketUpgrades (server: Server, timeout: number): WebSocketUpgrades {
  const handshakeDone = limitHandshakes(server, timeout)
  const upgrades = new EventEmitter()
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (isWebSocketUpgrade(request)) {
      // ws takes no list of protocols.
      request.headers.upgrade = 'websocket'
      // ws answers at once, which fails while the connection has a response outstanding.
      afterResponses(socket, () => upgrades.emit('upgrade', request, socket, head))
    } else if (request.rawHeaders.length > 2 * MAX_HEADERS) {
      // Node.js has dropped the headers past its limit. Without one that says how long the body is, the body would be read as requests.
      socket.on('error', () => socket.destroy())
      server.emit('clientError', Object.assign(new Error('too many headers'), { code: 'HPE_HEADER_OVERFLOW' }), socket)
    } else serveWithoutUpgrade(server, { request, socket, head, onServed: () => handshakeDone(request) })
  })
  return { upgrades, handshakeDone }
}

interface IgnoredUpgrade {
  readonly request: IncomingMessage
  readonly socket: Socket
  /** The first bytes behind the request's head. */
  readonly head: Buffer
  readonly onServed: () => void
}

/**
 * Serves an upgrade as a plain request. Node.js has taken its parser off the connection by then, so the connection is accepted once more, with the
 * request's head in front of what is still unread, less `Upgrade`: body, keep-alive, pipelining and HTTP's timeouts are those of any other request.
 */
function serveWithoutUpgrade (server: Server, { request, socket, head, onServed }: IgnoredUpgrade): void {
  const onError = () => socket.destroy()
  socket.on('error', onError)
  // Before waiting: a peer that ends its side meanwhile would end the stream, which then takes nothing back.
  if (head.length > 0) socket.unshift(head)
  socket.unshift(headWithoutUpgrade(request))
  afterResponses(socket, () => {
    onServed()
    socket.off('error', onError)
    // Node.js has counted an idle connection's time since the earlier answer.
    socket.setTimeout(server.timeout)
    server.emit('connection', socket)
  })
}

function headWithoutUpgrade ({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  return Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
}

/** Bytes of a head that is read here. Browsers and phones need a few hundred; more than 16 KiB HTTP would not take either. */
const MAX_HEAD = 4_096
/**
 * A whole head, at the socket's route as a path (in absolute form it is one as well, but nobody sends that), with lines as RFC 9112 §5 has them, without what
 * is obsolete in it.
 */
const HEAD = /GET \/(?:\?[!-~]*)? HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~\w-]+:[\t -~]*\r\n)+\r\n/y

/** What anyone asks of a handshake: here, in the plugin of sockets, or for the address behind a proxy. None of them may come twice. */
const RELEVANT_HEADERS = ['host', 'connection', 'upgrade', 'sec-websocket-version', 'sec-websocket-key', 'origin', 'x-forwarded-for'] as const
/** Headers that change nothing here; but what they ask for is the library's to look at. */
const SLOW_PATH_HEADERS = ['content-length', 'transfer-encoding', 'expect', 'sec-websocket-protocol']
/** Of each of the first its number, of each of the second none. */
const NUMBERS: ReadonlyMap<string, number> = new Map([...RELEVANT_HEADERS.map((name, n) => [name, n] as const), ...SLOW_PATH_HEADERS.map((name) => [name, -1] as const)])

/**
 * Reads a handshake as it should be, at the socket's route, whole and with nothing in it that could be read in two ways. What is not one may be a handshake
 * all the same: that is for HTTP and the router to say.
 * @returns with the number of bytes in it; undefined where it is none
 */
export function readHandshake (bytes: Buffer): (Handshake & { readonly end: number }) | undefined {
  const head = bytes.toString('latin1', 0, MAX_HEAD)
  HEAD.lastIndex = 0
  if (!HEAD.test(head)) return undefined
  const end = HEAD.lastIndex
  const values: Array<string | undefined> = RELEVANT_HEADERS.map(() => undefined)
  let lines = 0
  for (let at = head.indexOf('\r\n') + 2; at < end - 2; lines++) {
    const colon = head.indexOf(':', at)
    const endOfLine = head.indexOf('\r\n', colon)
    const number = NUMBERS.get(head.slice(at, colon).toLowerCase())
    if (number !== undefined) {
      if (number < 0 || values[number] !== undefined) return undefined
      values[number] = head.slice(colon + 1, endOfLine).trim()
    }
    at = endOfLine + 2
  }
  const [host, connection, upgrade, version, key, origin, forwardedFor] = values
  const headers = { host, connection, upgrade, 'sec-websocket-version': version, 'sec-websocket-key': key, origin, 'x-forwarded-for': forwardedFor }
  if (lines > MAX_HEADERS || host === undefined || !isWebSocketUpgrade({ httpVersion: '1.1', headers })) return undefined
  return { httpVersion: '1.1', headers, end }
}

/** What the protocol has for a server to put behind a client's key (RFC 6455 §1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The answer to a handshake that has no fault. */
export function handshakeResponse ({ headers }: Handshake): Buffer {
  const accept = hash('sha1', headers['sec-websocket-key']! + GUID, 'base64')
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`, 'latin1')
}
