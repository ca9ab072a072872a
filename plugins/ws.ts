// The socket route: upgrades at the prefix become sessions, and at shutdown every socket is closed with the advice to reconnect (1012).
import { ServerResponse, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { WebSocket, WebSocketServer } from 'ws'
import { allowedOrigins } from '../src/config.js'
import { Failure } from '../src/errors.js'
import { FrameDispatcher } from '../src/sessions/frame-dispatcher.js'
import { messageRates } from '../src/sessions/rate-limits.js'
import { SocketEndpoint } from '../src/sessions/socket-endpoint.js'
import type { SocketSession, SocketSessionOptions } from '../src/sessions/socket-session.js'
import { checkHandshake, handshakePattern, handshakeResponse, HANDSHAKE_TIMEOUT, MAX_HEAD, readHandshake, type Handshake } from '../src/websocket/handshake.js'
import { interceptConnections, type TryClaim } from '../src/websocket/node/intercept.js'
import { fastPathFault } from '../src/websocket/node/self-test.js'
import { webSocketUpgrades } from '../src/websocket/upgrades.js'
import { wsServerOptions, type WsSocket } from '../src/websocket/ws-socket.js'

const load = createRequire(import.meta.url)
// Required: an import would make Node.js search its text for exports before it runs it.
const { default: websocket } = load('@fastify/websocket') as typeof import('@fastify/websocket')

export default fp(async (app) => {
  const { config, sessions, log } = app
  const upgrades = webSocketUpgrades(app.server, { path: app.prefix, timeout: HANDSHAKE_TIMEOUT })
  const server = await webSocketServer(app, wsServerOptions(config.MAX_MESSAGE_BYTES), upgrades.upgrades)
  const refusalOf = refusals(app)
  const isFast = await canUseFastPath(app)
  const endpoint = new SocketEndpoint({
    sessions, log, session: sessionOptions(app), maxBytes: config.MAX_MESSAGE_BYTES, usesHandles: isFast, wsOptions: () => server.options
  })
  const releaseConnections = isFast ? claimHandshakes(app, endpoint, refusalOf) : () => {}

  app.get('/', {
    constraints: { upgrade: 'websocket' },
    // A join has rules of its own; it may need a token.
    config: { action: 'public' },
    exposeHeadRoute: false,
    schema: { hide: true },
    // The upgrade happens in the last hook and not in the handler: @fastify/websocket wraps handlers, also that of an outer context with sockets of its own.
    preHandler: upgradeHandler({ app, server, upgrades, endpoint, refusalOf })
  }, async (_request, reply) => reply.fail(new Failure('NOT_FOUND')))

  app.addHook('preClose', async () => {
    // A handshake that starts now would delay the close.
    upgrades.stop()
    releaseConnections()
    await endpoint.close(config.SHUTDOWN_GRACE_SECONDS * 1000 / 2)
  })
}, { name: 'ws', dependencies: ['client-address', 'metrics', 'rooms', 'sessions', 'tokens', 'transport', 'errors', 'guards'] })

interface UpgradeParts {
  readonly app: FastifyInstance
  readonly server: WebSocketServer
  readonly upgrades: ReturnType<typeof webSocketUpgrades>
  readonly endpoint: SocketEndpoint
  readonly refusalOf: RefusalOf
}

/** Returns the hook that answers an upgrade: with a socket, or with the reason why there is none. */
function upgradeHandler ({ app, server, upgrades: { connectionOf, handshakeDone }, endpoint, refusalOf }: UpgradeParts) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const { raw } = request
    const connection = connectionOf(raw)
    const address = app.clientAddress.ofRequest(request)
    const refusal = refusalOf(raw, address)
    if (refusal) {
      if (refusal.code === 'INVALID_REQUEST') reply.header('sec-websocket-version', '13')
      reply.raw.once('finish', () => connection?.socket.destroy())
      return reply.fail(refusal)
    }
    // An injected request has no connection.
    if (!connection) return undefined
    reply.hijack()
    if (reply.raw.socket) reply.raw.detachSocket(reply.raw.socket)
    // Removes the listeners of the handshake; ws adds its own.
    connection.socket.removeAllListeners('error')
    server.handleUpgrade(raw, connection.socket, connection.head, (socket: WebSocket) => {
      handshakeDone(raw)
      server.emit('connection', socket, raw)
      endpoint.openWs(socket as WsSocket<SocketSession>, address)
    })
    return undefined
  }
}

/** Check of a handshake: the reason to answer it with an HTTP error (RFC 6455 §10.2), or undefined if it is accepted. */
type RefusalOf = (handshake: Handshake, address: string) => Failure | undefined

/** Tests the fast path, and reports if it is off. */
async function canUseFastPath (app: FastifyInstance): Promise<boolean> {
  const { config, log, metrics } = app
  metrics.fastPath.set(1)
  if (config.FAST_PATH === 'off') {
    metrics.fastPath.set(0)
    log.info('the fast path is off: FAST_PATH=off')
    return false
  }
  const fault = await fastPathFault()
  if (fault !== undefined) onFastPathOff(app, fault)
  return fault === undefined
}

function onFastPathOff ({ log, metrics }: FastifyInstance, reason: string): void {
  metrics.fastPath.set(0)
  log.warn({ node: process.versions.node }, `the fast path is off, sockets need two to four times the CPU: ${reason}`)
}

/**
 * Takes valid handshakes before the HTTP server does: they need neither an HTTP request nor ws. Every other one goes through HTTP, which answers with the reason.
 * @returns a function that ends it
 */
function claimHandshakes (app: FastifyInstance, endpoint: SocketEndpoint, refusalOf: RefusalOf): () => void {
  const { clientAddress, hostHooks } = app
  const pattern = handshakePattern(app.prefix)
  const tryClaim: TryClaim = (connection, bytes) => {
    const handshake = readHandshake(bytes, pattern)
    // Without an address the peer has closed the connection meanwhile.
    const peer = handshake && connection.address
    const address = peer === undefined ? undefined : clientAddress.ofHandshake(handshake!.headers, peer)
    if (address === undefined || refusalOf(handshake!, address)) return false
    endpoint.openFast(connection, address, handshakeResponse(handshake!), bytes.subarray(handshake!.end))
    return true
  }
  const release = interceptConnections(app.server, { tryClaim, headSize: MAX_HEAD, onOff: (reason) => onFastPathOff(app, reason) })
  app.addHook('onReady', async () => {
    const reason = hostHooks.reasonNotToSkip()
    if (reason === undefined) return
    release()
    onFastPathOff(app, reason)
  })
  return release
}

function sessionOptions ({ config, rooms, metrics, log, tokens, transport, now, monotonic }: FastifyInstance): SocketSessionOptions {
  const { batch } = transport
  const verify = tokens && ((token: string) => tokens.verify(token))
  return {
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
}

function refusals ({ config, sessions }: FastifyInstance): RefusalOf {
  const origins = allowedOrigins(config)
  return (handshake, address) => {
    const fault = checkHandshake(handshake)
    if (fault !== undefined) return new Failure('INVALID_REQUEST', fault)
    // CORS does not apply to WebSockets, so a foreign page is refused here.
    const { origin } = handshake.headers
    if (origins && origin !== undefined && !origins.includes(origin)) return new Failure('FORBIDDEN', 'This origin is not allowed.')
    return sessions.refusalOf(address)
  }
}

/**
 * Returns the server of ws. The library routes the upgrades, and provides `injectWS`. It cannot be registered below a context that has it; there the library of that
 * context routes them.
 * @param upgrades source of the upgrades; not the HTTP server, which also emits those to other paths and protocols
 */
async function webSocketServer (app: FastifyInstance, options: object, upgrades: NodeJS.EventEmitter): Promise<WebSocketServer> {
  if (!app.hasRequestDecorator('ws')) {
    await app.register(websocket, { options: { ...options, server: upgrades } as object, preClose: (done) => { done() } })
    return app.websocketServer
  }
  upgrades.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    response.assignSocket(socket)
    app.routing(request, response)
  })
  const { WebSocketServer } = load('ws') as typeof import('ws')
  return new WebSocketServer({ ...options, noServer: true } as object)
}
