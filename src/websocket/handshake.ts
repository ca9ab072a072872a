// WebSocket handshakes until the socket opens: detection, validation and time limit, and upgrades to other protocols.
import { hash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Time limit of a handshake, from the upgrade request to the open socket, ms. HTTP's own timeouts stop at the upgrade. */
export const HANDSHAKE_TIMEOUT = 8_000

/** Maximum header lines of a request. Past its own limit Node.js drops lines silently, even one that identifies the caller. */
export const MAX_HEADERS = 100

/** `websocket` as one of the comma-separated tokens of `Upgrade`, and `upgrade` as one of `Connection`. */
const WEBSOCKET = /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i
const UPGRADE = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i

/**
 * Tells a WebSocket upgrade from all other requests, including upgrades to other protocols. Both headers are required (RFC 6455 §4.1): a proxy that copies only
 * `Upgrade` sends a plain request. `websocket` may be one of several offered protocols (§4.2.1), and HTTP/1.0 has no upgrades (RFC 9110 §7.8).
 */
export function isWebSocketUpgrade ({ httpVersion, headers: { upgrade, connection = '' } }: Pick<IncomingMessage, 'headers' | 'httpVersion'>): boolean {
  return upgrade !== undefined && httpVersion !== '1.0' && WEBSOCKET.test(upgrade) && UPGRADE.test(connection)
}

/**
 * Option of Node.js's HTTP servers, since 24.9 and late versions of 22: an upgrade to another protocol stays a plain request, as RFC 9110 §7.8 allows. Java's
 * HttpClient offers `h2c` with every request. Older versions of Node.js ignore the option; upgrades.ts covers them.
 */
export function shouldUpgradeCallback (this: Server, request: IncomingMessage): boolean {
  return this.listenerCount('upgrade') > 0 && isWebSocketUpgrade(request)
}

/**
 * Refuses a WebSocket upgrade that announces a body. Up to Node.js 24 the body is parsed as the first frames; since 26 Node.js waits for it as a body, and if it
 * never arrives, sends an HTTP response on the open WebSocket.
 */
export function checkUpgrade (request: Pick<IncomingMessage, 'headers' | 'httpVersion'>): { status: number, message: string } | undefined {
  const { 'transfer-encoding': encoding, 'content-length': length = 0 } = request.headers
  const hasBody = encoding !== undefined || Number(length) !== 0
  return hasBody && isWebSocketUpgrade(request) ? { status: 400, message: 'An upgrade request must not have a body.' } : undefined
}

/** The parts of a handshake request that are read. An IncomingMessage is one. */
export interface Handshake {
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
}

/**
 * Validates a handshake (RFC 6455 §4.2.1). ws is less strict: it accepts HTTP/1.0, and old drafts of the protocol, which send the origin in another header than
 * the one checked by this server.
 * @returns the error as a sentence; undefined if the handshake is valid
 */
export function checkHandshake ({ httpVersion, headers }: Handshake): string | undefined {
  if (httpVersion !== '1.1') return 'A WebSocket handshake requires HTTP/1.1.'
  if (String(headers['sec-websocket-version']) !== '13') return 'Sec-WebSocket-Version must be 13.'
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return 'Sec-WebSocket-Key must be 16 bytes in Base64.'
  return undefined
}

/**
 * Puts a hard time limit on handshakes. Without it, a handshake that the router refuses in an unusual way, or whose hook hangs, would stay open forever.
 * @param timeout ms
 * @param isLimited decides if the limit applies to an upgrade
 * @returns `done` removes the limit from a request whose handshake is done; `stop` ends the limits of later handshakes
 */
export function limitHandshakes (
  server: Server, timeout: number, isLimited: (request: IncomingMessage) => boolean = () => true
): { readonly done: (request: IncomingMessage) => void, readonly stop: () => void } {
  const done = new WeakMap<IncomingMessage, () => void>()
  const onUpgrade = (request: IncomingMessage, socket: Duplex) => {
    if (!isLimited(request)) return
    const timer = setTimeout(() => socket.destroy(), timeout).unref()
    const stop = () => clearTimeout(timer)
    socket.once('close', stop)
    done.set(request, () => {
      stop()
      socket.off('close', stop)
    })
  }
  // Runs before all other listeners, because they may throw.
  server.prependListener('upgrade', onUpgrade)
  return { done: (request) => done.get(request)?.(), stop: () => server.off('upgrade', onUpgrade) }
}

/**
 * Waits until all earlier requests on the connection are answered: responses are sent in the order of their requests (RFC 9112 §9.3.2).
 * @param next called at once if no response is outstanding; never called if the connection ends first
 */
export function afterResponses (socket: Duplex, next: () => void): void {
  // Undocumented property, which `ServerResponse.assignSocket` checks. If Node.js drops it, `next` is called at once.
  const response = (socket as { _httpMessage?: ServerResponse | null })._httpMessage
  if (!response) return next()
  // Node.js removed its own error listener at the upgrade, and an 'error' event without a listener ends the process.
  const destroy = () => socket.destroy()
  socket.on('error', destroy)
  response.once('close', () => {
    socket.off('error', destroy)
    // A response may end the connection, for example with `Connection: close`.
    if (socket.writable) afterResponses(socket, next)
  })
}

export interface IgnoredUpgrade {
  readonly request: IncomingMessage
  readonly socket: Socket
  /** First bytes after the request's head. */
  readonly head: Buffer
  readonly onServed: () => void
}

/**
 * Serves an upgrade as a plain request. Node.js has already detached its HTTP parser, so the server accepts the connection once more, with the request's head,
 * minus `Upgrade`, in front of the unread bytes. Body, keep-alive, pipelining and HTTP timeouts then work as for any other request.
 */
export function serveWithoutUpgrade (server: Server, { request, socket, head, onServed }: IgnoredUpgrade): void {
  const onError = () => socket.destroy()
  socket.on('error', onError)
  // Unshift before waiting: if the peer ends its side meanwhile, the stream ends and takes nothing back.
  if (head.length > 0) socket.unshift(head)
  socket.unshift(headWithoutUpgrade(request))
  afterResponses(socket, () => {
    onServed()
    socket.off('error', onError)
    // Node.js has counted the connection's idle time since the earlier response.
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

/** Maximum head parsed here, bytes. Browsers and phones send a few hundred; the HTTP parser accepts at most 16 KiB. */
export const MAX_HEAD = 4_096
/**
 * Returns a pattern of a complete head for a path in origin form (absolute form is valid, but no client sends it). Header lines follow RFC 9112 §5, without its
 * obsolete syntax (obs-fold, obs-text).
 * @param path without a slash at its end; empty for the root
 */
export function handshakePattern (path: string): RegExp {
  const target = path === '' ? '/' : `${path.replace(/[.]/g, '\\.')}/?`
  return new RegExp(`GET ${target}(?:\\?[!-~]*)? HTTP/1\\.1\\r\\n(?:[!#$%&'*+.^_\`|~\\w-]+:[\\t -~]*\\r\\n)+\\r\\n`, 'y')
}

const AT_ROOT = handshakePattern('')

/** Headers read from a handshake: by this file, by the `ws` plugin, or for the client address behind a proxy. A head that repeats one of them is left to the HTTP server. */
const RELEVANT_HEADERS = ['host', 'connection', 'upgrade', 'sec-websocket-version', 'sec-websocket-key', 'origin', 'x-forwarded-for'] as const
/** Headers with no effect in this file, but possibly one in the HTTP server or ws. A head with one of them is left to the HTTP server. */
const SLOW_PATH_HEADERS = ['content-length', 'transfer-encoding', 'expect', 'sec-websocket-protocol']
/** Index of each relevant header in RELEVANT_HEADERS; -1 for each of SLOW_PATH_HEADERS. */
const NUMBERS: ReadonlyMap<string, number> = new Map([...RELEVANT_HEADERS.map((name, n) => [name, n] as const), ...SLOW_PATH_HEADERS.map((name) => [name, -1] as const)])

/**
 * Parses a complete and unambiguous handshake. Other input may still be a valid handshake: the HTTP server and the router decide.
 * @param pattern of the socket's path, from {@link handshakePattern}
 * @returns the handshake and its length in bytes (`end`); undefined for any other input
 */
export function readHandshake (bytes: Buffer, pattern = AT_ROOT): (Handshake & { readonly end: number }) | undefined {
  const head = bytes.toString('latin1', 0, MAX_HEAD)
  pattern.lastIndex = 0
  if (!pattern.test(head)) return undefined
  const end = pattern.lastIndex
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

/** GUID that the server appends to the client's key (RFC 6455 §1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Response to a valid handshake. */
export function handshakeResponse ({ headers }: Handshake): Buffer {
  const accept = hash('sha1', headers['sec-websocket-key']! + GUID, 'base64')
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`, 'latin1')
}
