// The socket route: upgrades at the prefix become sessions, and at shutdown every socket is closed with the advice to reconnect (1012).
import { Server, ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { WebSocket, WebSocketServer } from 'ws'
import { allowedOrigins } from '../src/config.js'
import { Failure } from '../src/errors.js'
import {
  handshakePattern, handshakeResponse, HANDSHAKE_TIMEOUT, checkHandshake, readHandshake, type Handshake
} from '../src/websocket/handshake.js'
import { webSocketUpgrades } from '../src/websocket/upgrades.js'
import { shortId } from '../src/random-id.js'
import { CLOSING_LIMIT, ClosingSockets } from '../src/websocket/closing-sockets.js'
import { messageRates } from '../src/sessions/rate-limits.js'
import type { TryClaim } from '../src/websocket/node/intercept.js'
import { shareConnections } from '../src/websocket/node/shared-intercept.js'
import { fastPathAvailable, hasKnownHandle } from '../src/websocket/node/internals.js'
import { FastWebSocket, type WebSocketLike, type FastWebSocketOptions } from '../src/websocket/fast-socket.js'
import { FrameDispatcher } from '../src/sessions/frame-dispatcher.js'
import { SocketSession } from '../src/sessions/socket-session.js'
import type { Batch } from '../src/websocket/batch.js'
import { StreamConnection, type WritableConnection } from '../src/websocket/batch-writer.js'

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
  const { clientAddress, connectionLimits, config, metrics, rooms, sessions, tokens, transport, log, now, monotonic } = app
  const { batch } = transport
  const { upgrades, connectionOf, handshakeDone, stop } = webSocketUpgrades(app.server, { path: app.prefix, timeout: HANDSHAKE_TIMEOUT })
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
  // The library routes the upgrades, and provides `injectWS`. It cannot be registered below a context that has it; there the library of that context routes them.
  const isRouted = app.hasRequestDecorator('ws')
  // The library's source of upgrades is not the server, which also emits those to other paths and protocols.
  if (!isRouted) await app.register(websocket, { options: { ...serverOptions, server: upgrades } as object, preClose: (done) => { done() } })
  else upgrades.on('upgrade', (request: IncomingMessage, socket: Socket) => { routeUpgrade(app, request, socket) })
  const server = isRouted ? new WebSocketServer({ ...serverOptions, noServer: true } as object) : app.websocketServer
  app.addHook('preClose', async () => {
    // A handshake that starts now would delay the close.
    stop()
    giveConnections()
    await closeSockets()
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
  }

  const origins = allowedOrigins(config)
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
      const { options } = server
      const socket = new (SessionSocket as unknown as Adopting)(null, undefined, options)
      listen(socket, session)
      socket.setSocket(network, NOTHING, options)
      return socket
    },
    onClose: onSocketClose,
    closing
  }

  // Bytes of TLS or HTTP/2 are no handshake, and a handshake in the clear is none there.
  const isPlainHttp = app.server instanceof Server
  const isFast = config.FAST_PATH === 'auto' && fastPathAvailable && isPlainHttp
  metrics.fastPath.set(Number(isFast))
  if (config.FAST_PATH === 'off') log.info('sockets go through http and ws: FAST_PATH=off')
  else if (!isPlainHttp) log.info('sockets go through http and ws: the server speaks TLS or HTTP/2')
  else if (!isFast) log.warn({ node: process.versions.node }, 'sockets go through http and ws, for two to four times the CPU: the fast path does not know this version of Node.js')

  // Fast path: a valid handshake needs neither an HTTP request nor ws. Every other one goes through HTTP, which answers with the reason.
  const pattern = handshakePattern(app.prefix)
  const claim: TryClaim = (connection, bytes) => {
    const handshake = readHandshake(bytes, pattern)
    if (!handshake) return false
    const peer = connection.address
    // The peer has closed the connection meanwhile.
    if (peer === undefined) return false
    const ip = clientAddress.ofHandshake(handshake.headers, peer)
    if (ip === undefined || refusalOf(handshake, ip)) return false
    const socket = new FastWebSocket(connection, plainOptions)
    // A batch, so that the handshake response and the greeting go out as one write.
    batch.run(() => socket.start(enter(socket, connection, ip, handshakeResponse(handshake)), bytes.subarray(handshake.end)))
    return true
  }
  const giveConnections = isFast ? shareConnections(app.server, claim) : () => {}

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
    constraints: { upgrade: 'websocket' },
    // A join has rules of its own; it may need a token.
    config: { action: 'public' },
    exposeHeadRoute: false,
    schema: { hide: true },
    // The upgrade happens in a hook and not in the handler: @fastify/websocket wraps handlers, also that of an outer context with sockets of its own.
    preValidation: async (request, reply) => {
      const { raw } = request
      const connection = connectionOf(raw)
      const ip = clientAddress.ofRequest(request)
      const refusal = refusalOf(raw, ip)
      if (refusal) {
        if (refusal.code === 'INVALID_REQUEST') reply.header('sec-websocket-version', '13')
        reply.raw.once('finish', () => connection?.socket.destroy())
        return reply.fail(refusal)
      }
      // An injected request has no connection.
      if (!connection) return
      reply.hijack()
      if (reply.raw.socket) reply.raw.detachSocket(reply.raw.socket)
      // Removes the listeners of the handshake; ws adds its own.
      connection.socket.removeAllListeners('error')
      server.handleUpgrade(raw, connection.socket, connection.head, (socket) => {
        handshakeDone(raw)
        const { network } = socket as SessionSocket
        server.emit('connection', socket, raw)
        listen(socket as SessionSocket, enter(socket, new StreamConnection(network, isFast && hasKnownHandle(network)), ip))
      })
    }
  }, async (_request, reply) => reply.fail(new Failure('NOT_FOUND')))

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
}, { name: 'ws', dependencies: ['client-address', 'connection-limits', 'metrics', 'rooms', 'sessions', 'tokens', 'transport', 'errors', 'guards'] })

/** Routes an upgrade as @fastify/websocket does: as a request, whose route or refusal decides on the connection. */
function routeUpgrade (app: FastifyInstance, request: IncomingMessage, socket: Socket): void {
  socket.on('error', () => socket.destroy())
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  app.routing(request, response)
}
