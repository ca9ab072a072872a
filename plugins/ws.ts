// The socket route: upgrades at `/` become sessions, and on close every one of them is told to come back.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import proxyAddr from '@fastify/proxy-addr'
import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { WebSocket } from 'ws'
import { allowedOrigins, proxies } from '../src/config.js'
import { Failure } from '../src/errors.js'
import { HANDSHAKE_TIMEOUT, handshakeFault, interceptUpgrades, isPlainHandshake, limitHandshakes } from '../src/handshake.js'
import { messageRates } from '../src/rooms/conduct.js'
import { readPlainFrames } from '../src/rooms/reader.js'
import { Session } from '../src/rooms/session.js'
import { hold } from '../src/rooms/wire.js'

/** How long a peer has to answer our close frame before its socket is destroyed, ms. */
const CLOSE_TIMEOUT = 1_500

/** Frames that one message may come in. Even a careless proxy cuts a message into a few. */
const MAX_FRAGMENTS = 256

/** Bytes in a chunk off the network, on average, below which a peer is dribbling: every chunk that waits for the rest of its frame costs far more than it holds. */
const MIN_CHUNK = 16

/** A socket with its session and the address that it came from: with them it needs no listeners of its own. */
class SessionSocket extends WebSocket {
  session!: Session
  address!: string
}

function onMessage (this: WebSocket, data: unknown, isBinary: boolean): void {
  const { session } = this as SessionSocket
  if (isBinary) session.receiveBinary()
  else session.receive(data as Buffer)
}
function onPing (this: WebSocket, data: Buffer): void { (this as SessionSocket).session.pinged(data) }
function onPong (this: WebSocket): void { (this as SessionSocket).session.ponged() }

export default fp(async (app) => {
  const { admission, config, metrics, rooms, sessions, tokens, log, now } = app
  const handshakeDone = limitHandshakes(app.server, HANDSHAKE_TIMEOUT)
  const options = {
    rooms,
    metrics,
    log,
    now,
    maxOutboxBytes: config.OUTBOX_MAX_BYTES,
    messageRates: messageRates(config.MESSAGES_PER_SECOND, config.MESSAGES_BURST),
    verify: tokens && ((token: string) => tokens.verify(token)),
    joinTimeout: config.JOIN_TIMEOUT_SECONDS * 1000
  }

  // @types/ws does not know `closeTimeout` yet, and knows no class of sockets but the library's own.
  const serverOptions = {
    WebSocket: SessionSocket,
    maxPayload: config.MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: Math.ceil(config.MAX_MESSAGE_BYTES / MIN_CHUNK),
    closeTimeout: CLOSE_TIMEOUT,
    perMessageDeflate: false,
    // The session answers pings, within its outbox: ws would cut off whoever has several unanswered, without a close frame.
    autoPong: false,
    // The default would echo the first subprotocol that is offered, whatever a client put there.
    handleProtocols: () => false as const
  }
  await app.register(websocket, {
    options: serverOptions as object,
    preClose: (done) => {
      // A handshake that begins now would hold the close up.
      app.server.removeAllListeners('upgrade')
      closeSockets().then(() => done(), done)
    }
  })

  async function closeSockets (): Promise<void> {
    const { websocketServer } = app
    const gone = new Promise((resolve) => websocketServer.close(resolve))
    // Half of the grace for the batches; a peer that does not answer its close is cut after CLOSE_TIMEOUT.
    await sessions.drain(config.SHUTDOWN_GRACE_SECONDS * 1000 / 2)
    await gone
    // Requests and streams that nobody reads or finishes must not hold up the end.
    setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT).unref()
  }

  const origins = allowedOrigins(config)
  const trusted = proxies(config)
  const isTrusted = trusted && proxyAddr.compile(trusted)
  const replies = new WeakMap<IncomingMessage, ServerResponse>()
  function onClose (this: WebSocket, code: number): void {
    const { session, address } = this as SessionSocket
    admission.leave(address)
    sessions.remove(session)
    session.end(code)
  }

  // A peer that breaks the protocol: ws closes its socket with the fitting code, and the close is what we log.
  const onError = (error: NodeJS.ErrnoException) => log.debug({ code: error.code }, 'socket failed')

  // A handshake that is in order needs none of what a request goes through. All others, which are to be told why, go that way.
  interceptUpgrades(app.server, (request, network, head) => {
    const ip = addressOf(request)
    if (!isPlainHandshake(request) || refusalOf(request, ip)) return false
    // The answer and the greeting go out as one.
    hold(network)
    app.websocketServer.handleUpgrade(request, network, head, (socket) => open(socket as SessionSocket, request.socket, ip))
    return true
  })

  /** The same as Fastify's `request.ip`. */
  function addressOf (request: IncomingMessage): string {
    return isTrusted ? proxyAddr(request, isTrusted) : request.socket.remoteAddress!
  }

  /** Why a handshake is answered with an error, a true HTTP one (RFC 6455 §10.2). */
  function refusalOf (request: IncomingMessage, ip: string): Failure | undefined {
    const fault = handshakeFault(request)
    if (fault !== undefined) return new Failure('INVALID_REQUEST', fault)
    // On its way out the server takes no upgrades any more, so one arrives here as a plain request.
    if (sessions.draining) return new Failure('UNAVAILABLE', 'The server is restarting; connect again.')
    // CORS does not stop sockets: a foreign page is refused here.
    const { origin } = request.headers
    if (origins && origin !== undefined && !origins.includes(origin)) return new Failure('FORBIDDEN', 'This origin may not connect.')
    return admission.refusal(ip)
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
    // Request and reply would live as long as the socket, and weigh as much as all the rest of it; the library's listener holds both.
    const reply = replies.get(raw)
    if (reply?.socket) reply.detachSocket(reply.socket)
    socket.removeAllListeners('error')
    open(socket as SessionSocket, raw.socket, ip)
  })

  function open (socket: SessionSocket, below: Duplex, ip: string): void {
    const clientId = `client_${now()}_${randomUUID().slice(-12)}`
    // An injected socket has none under it.
    const network = below instanceof Socket ? below : undefined
    const session = new Session(clientId, socket, network, options)
    socket.session = session
    socket.address = ip
    // All listeners are attached in this tick: a frame may have come in the packet of the upgrade itself.
    socket.on('error', onError).on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose)
    if (network) readPlainFrames(network, config.MAX_MESSAGE_BYTES, session)
    admission.enter(ip)
    sessions.add(session)
    log.info({ clientId, address: ip }, 'client connected')
    session.open()
  }
}, { name: 'ws', dependencies: ['admission', 'metrics', 'rooms', 'sessions', 'tokens', 'errors'] })
