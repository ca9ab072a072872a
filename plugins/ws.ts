// The socket route: upgrades at `/` become sessions, and at shutdown every socket is closed with the advice to reconnect (1012).
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import proxyAddr from '@fastify/proxy-addr'
import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { WebSocket } from 'ws'
import { addressesOf } from '../src/auth/address.js'
import { allowedOrigins, proxies } from '../src/config.js'
import { Failure } from '../src/errors.js'
import { handshakeResponse, HANDSHAKE_TIMEOUT, checkHandshake, readHandshake, webSocketUpgrades, type Handshake } from '../src/websocket/handshake.js'
import { shortId } from '../src/random-id.js'
import { CLOSING_LIMIT, ClosingSockets } from '../src/websocket/closing-sockets.js'
import { messageRates } from '../src/sessions/rate-limits.js'
import { interceptConnections } from '../src/websocket/node/intercept.js'
import { fastPathAvailable, hasKnownHandle } from '../src/websocket/node/internals.js'
import { FastWebSocket, type WebSocketLike, type FastWebSocketOptions } from '../src/websocket/fast-socket.js'
import { FrameDispatcher } from '../src/sessions/frame-dispatcher.js'
import { SocketSession } from '../src/sessions/socket-session.js'
import type { Batch } from '../src/websocket/batch.js'
import { StreamConnection, type WritableConnection } from '../src/websocket/batch-writer.js'

/** Time that requests and event streams have at shutdown after all sockets are closed, ms. */
const CLOSE_TIMEOUT = 1_500

/** Maximum number of fragments per message. Even a careless proxy splits a message into a few. */
const MAX_FRAGMENTS = 256

/** Minimum average size of a network chunk, bytes. Below it a peer dribbles: every chunk that waits for the rest of its frame costs far more memory than its content. */
const MIN_CHUNK = 16

const { setSocket: adoptSocket } = WebSocket.prototype as unknown as SessionSocket

/** A ws socket with its session and remote address, so that all sockets share the same listener functions. */
class SessionSocket extends WebSocket {
  session!: SocketSession
  batch!: Batch
  closing!: ClosingSockets
  /** Connection under the socket; not always that of the request, see `injectWS`. */
  network!: Socket

  /** Called by ws once the handshake is answered; missing in @types/ws. */
  setSocket (network: Socket, head: Buffer, options: object): void {
    this.network = network
    adoptSocket.call(this, network, head, options)
  }

  /** Also called by ws itself, when the peer closes or breaks the protocol. */
  override close (code?: number, reason?: string | Buffer): void {
    if (this.readyState === WebSocket.OPEN) this.closing.add(this, this.session.isClosedByServer)
    this.session.onClosing()
    super.close(code, reason)
  }
}

/** Constructor of a ws socket for a connection whose handshake is done, as ws calls it; missing in @types/ws. */
type Adopting = new (address: null, protocols: undefined, options: object) => SessionSocket

const NOTHING = Buffer.alloc(0)

function onMessage (this: WebSocket, data: unknown, isBinary: boolean): void {
  const { session, batch } = this as SessionSocket
  // A batch, so that our replies are written before ws answers a close frame that follows directly.
  batch.run(() => {
    if (isBinary) session.onBinaryMessage(batch)
    else session.onMessage(data as Buffer, 0, (data as Buffer).length, batch)
  })
}
function onPing (this: WebSocket, data: Buffer): void {
  const { session, batch } = this as SessionSocket
  batch.run(() => session.onPing(data, batch))
}
function onPong (this: WebSocket): void {
  const { session, batch } = this as SessionSocket
  batch.run(() => session.onPong(batch))
}

export default fp(async (app) => {
  const { connectionLimits, config, metrics, rooms, sessions, tokens, transport, log, now, monotonic } = app
  const { batch } = transport
  const { upgrades, handshakeDone } = webSocketUpgrades(app.server, HANDSHAKE_TIMEOUT)
  const closing = new ClosingSockets()
  const verify = tokens && ((token: string) => tokens.verify(token))
  const options = {
    rooms,
    metrics,
    log,
    transport,
    dispatcher: new FrameDispatcher({ rooms, metrics, log, batch, now, monotonic, verify }),
    now,
    monotonic,
    maxOutboxBytes: config.OUTBOX_MAX_BYTES,
    messageRates: messageRates(config.MESSAGES_PER_SECOND, config.MESSAGES_BURST),
    joinTimeout: verify && config.JOIN_TIMEOUT_SECONDS * 1000
  }

  // @types/ws lacks `closeTimeout`, and allows no socket class but the library's own.
  const serverOptions = {
    // Source of upgrades for the library: WebSocket upgrades only. The server itself also emits those to other protocols.
    server: upgrades,
    WebSocket: SessionSocket,
    maxPayload: config.MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: Math.ceil(config.MAX_MESSAGE_BYTES / MIN_CHUNK),
    // ClosingSockets ends the wait, usually far earlier.
    closeTimeout: CLOSING_LIMIT,
    perMessageDeflate: false,
    // The session answers pings within the bound of its send queue: ws would cut off a peer with several unanswered ones, without a close frame.
    autoPong: false,
    // The default would echo the first offered subprotocol, which is any text that a client chooses.
    handleProtocols: () => false as const
  }
  await app.register(websocket, {
    options: serverOptions as object,
    preClose: (done) => {
      // A handshake that starts now would delay the close.
      app.server.removeAllListeners('upgrade')
      giveConnections()
      closeSockets().then(() => done(), done)
    }
  })

  async function closeSockets (): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      allGone = resolve
      if (open === 0) resolve()
    })
    // The batches take half of the grace period; a peer that does not answer its close frame is cut after 2 s.
    closing.hurry()
    await sessions.drain(config.SHUTDOWN_GRACE_SECONDS * 1000 / 2)
    await gone
    // Requests and streams that are never read or finished must not delay the shutdown.
    setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT).unref()
  }

  const origins = allowedOrigins(config)
  const trusted = proxies(config)
  const isTrusted = trusted && proxyAddr.compile(trusted)
  const replies = new WeakMap<IncomingMessage, ServerResponse>()
  /** Number of open sockets, and the callback for when there are none. */
  let open = 0
  let allGone = () => {}

  function onSocketClose ({ session }: Pick<SessionSocket, 'session'>, code: number): void {
    connectionLimits.release(session.address)
    sessions.remove(session)
    session.onClose(code)
    if (--open === 0) allGone()
  }
  function onClose (this: WebSocket, code: number): void {
    closing.delete(this)
    onSocketClose(this as SessionSocket, code)
  }

  // The peer broke the protocol: ws closes the socket with the matching code, and the close is logged.
  const onError = (error: NodeJS.ErrnoException) => log.debug({ code: error.code }, 'socket failed')

  const plainOptions: FastWebSocketOptions<SocketSession> = {
    maxBytes: config.MAX_MESSAGE_BYTES,
    transport,
    adopt: ({ session }, network) => {
      const { options } = app.websocketServer
      const socket = new (SessionSocket as unknown as Adopting)(null, undefined, options)
      listen(socket, session)
      socket.setSocket(network, NOTHING, options)
      return socket
    },
    onClose: onSocketClose,
    closing
  }

  const isFast = config.FAST_PATH === 'auto' && fastPathAvailable
  metrics.fastPath.set(Number(isFast))
  if (config.FAST_PATH === 'off') log.info('sockets go through http and ws: FAST_PATH=off')
  else if (!isFast) log.warn({ node: process.versions.node }, 'sockets go through http and ws, for two to four times the CPU: the fast path does not know this version of Node.js')

  // Fast path: a valid handshake needs neither an HTTP request nor ws. Every other one goes through HTTP, which answers with the reason.
  const giveConnections = interceptConnections(app.server, (connection, bytes) => {
    const handshake = readHandshake(bytes)
    if (!handshake) return false
    const peer = connection.address
    // The peer has closed the connection meanwhile.
    if (peer === undefined) return false
    const ip = addressOf(handshake.headers, peer)
    if (refusalOf(handshake, ip)) return false
    const socket = new FastWebSocket(connection, plainOptions)
    // A batch, so that the handshake response and the greeting go out as one write.
    batch.run(() => socket.start(enter(socket, connection, ip, handshakeResponse(handshake)), bytes.subarray(handshake.end)))
    return true
  }, isFast)

  /** Same value as Fastify's `request.ip`. */
  function addressOf (headers: Handshake['headers'], peer: string): string {
    const forwardedFor = headers['x-forwarded-for']
    if (!isTrusted || typeof forwardedFor !== 'string') return peer
    return proxyAddr({ headers: { 'x-forwarded-for': addressesOf(forwardedFor) }, socket: { remoteAddress: peer } } as unknown as IncomingMessage, isTrusted)
  }

  /** Reason to answer a handshake with an HTTP error (RFC 6455 §10.2); undefined if the handshake is accepted. */
  function refusalOf (request: Handshake, ip: string): Failure | undefined {
    const fault = checkHandshake(request)
    if (fault !== undefined) return new Failure('INVALID_REQUEST', fault)
    // While the server drains it takes no upgrades, so an upgrade arrives here as a plain request.
    if (sessions.draining) return new Failure('UNAVAILABLE', 'The server is restarting; connect again.')
    // CORS does not apply to WebSockets, so a foreign page is refused here.
    const { origin } = request.headers
    if (origins && origin !== undefined && !origins.includes(origin)) return new Failure('FORBIDDEN', 'This origin may not connect.')
    return connectionLimits.check(ip)
  }

  app.get('/', {
    websocket: true,
    constraints: { upgrade: 'websocket' },
    preValidation: async ({ raw, ip }, reply) => {
      const refusal = refusalOf(raw, ip)
      if (!refusal) {
        replies.set(raw, reply.raw)
        return
      }
      if (refusal.code === 'INVALID_REQUEST') reply.header('sec-websocket-version', '13')
      return reply.fail(refusal)
    }
  }, (socket: WebSocket, { raw, ip }) => {
    handshakeDone(raw)
    // Request and reply would live as long as the socket, and weigh as much as the rest of it; the library's `error` listener holds both.
    const reply = replies.get(raw)
    if (reply?.socket) reply.detachSocket(reply.socket)
    socket.removeAllListeners('error')
    const { network } = socket as SessionSocket
    listen(socket as SessionSocket, enter(socket, new StreamConnection(network, isFast && hasKnownHandle(network)), ip))
  })

  /** Attaches the listeners to a ws socket, synchronously: a frame may arrive in the same packet as the handshake. */
  function listen (socket: SessionSocket, session: SocketSession): void {
    socket.session = session
    socket.batch = batch
    socket.closing = closing
    socket.on('error', onError).on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose)
  }

  /** @param before bytes to send in front of the greeting */
  function enter (socket: WebSocketLike, connection: WritableConnection, address: string, before?: Buffer): SocketSession {
    const clientId = `client_${now()}_${shortId()}`
    const session = new SocketSession({ clientId, address, socket, connection }, options)
    open++
    connectionLimits.acquire(address)
    sessions.add(session)
    log.info({ clientId, address }, 'client connected')
    session.greet(before)
    return session
  }
}, { name: 'ws', dependencies: ['connection-limits', 'metrics', 'rooms', 'sessions', 'tokens', 'transport', 'errors'] })
