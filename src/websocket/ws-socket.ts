// Sockets that ws drives: those that the fast path did not take, and those that it handed over.
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Batch } from './batch.js'
import { CLOSING_LIMIT, type ClosingSockets } from './closing-sockets.js'
import type { SocketListener } from './fast-socket.js'

// Required: an import would make Node.js search the texts of ws for exports before it runs them.
const ws = createRequire(import.meta.url)('ws') as typeof import('ws')

/** Maximum number of fragments per message. Even a careless proxy splits a message into a few. */
const MAX_FRAGMENTS = 256

/** Minimum average size of a network chunk, bytes. Below it a peer dribbles: every chunk that waits for the rest of its frame costs far more memory than its content. */
const MIN_CHUNK = 16

const NOTHING = Buffer.alloc(0)

/** Session of a socket that ws drives. */
export interface WsListener extends SocketListener {
  readonly onBinaryMessage: (batch: Batch) => void
  /** True if the server closed the socket, not the client. */
  readonly isClosedByServer: boolean
}

/** State and callbacks that all sockets of a server share. */
export interface WsSocketContext<Session extends WsListener> {
  readonly batch: Batch
  readonly closing: ClosingSockets
  readonly onClose: (session: Session, code: number) => void
  /** Called if the peer broke the protocol. ws closes the socket with the matching code. */
  readonly onError: (error: NodeJS.ErrnoException) => void
}

const { setSocket } = ws.WebSocket.prototype as unknown as WsSocket<WsListener>

/** A ws socket with its session. Its listeners are the same functions for all sockets. */
export class WsSocket<Session extends WsListener> extends ws.WebSocket {
  session!: Session
  context!: WsSocketContext<Session>
  /** Connection under the socket; not always that of the request, see `injectWS` of @fastify/websocket. */
  network!: Socket

  /** Called by ws once the handshake is answered; missing in @types/ws. */
  setSocket (network: Socket, head: Buffer, options: object): void {
    this.network = network
    setSocket.call(this, network, head, options)
  }

  /** Attaches the session. Must be called synchronously after the handshake: a frame may arrive in the same packet. */
  listen (session: Session, context: WsSocketContext<Session>): this {
    this.session = session
    this.context = context
    return this.on('error', context.onError).on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose)
  }

  /** Also called by ws itself, when the peer closes or breaks the protocol. */
  override close (code?: number, reason?: string | Buffer): void {
    if (this.readyState === ws.WebSocket.OPEN) this.context.closing.add(this, this.session.isClosedByServer)
    this.session.onClosing()
    super.close(code, reason)
  }
}

function onMessage (this: WebSocket, data: unknown, isBinary: boolean): void {
  const { session, context: { batch } } = this as WsSocket<WsListener>
  // A batch, so that our replies are written before ws answers a close frame that follows directly.
  batch.run(() => {
    if (isBinary) session.onBinaryMessage(batch)
    else session.onMessage(data as Buffer, 0, (data as Buffer).length, batch)
  })
}

function onPing (this: WebSocket, data: Buffer): void {
  const { session, context: { batch } } = this as WsSocket<WsListener>
  batch.run(() => session.onPing(data, batch))
}

function onPong (this: WebSocket): void {
  const { session, context: { batch } } = this as WsSocket<WsListener>
  batch.run(() => session.onPong(batch))
}

function onClose (this: WebSocket, code: number): void {
  const { session, context } = this as WsSocket<WsListener>
  context.closing.delete(this)
  context.onClose(session, code)
}

/** Options of a WebSocketServer. @types/ws lacks `closeTimeout`, and allows no socket class but the library's own. @param maxBytes maximum size of a message */
export function wsServerOptions (maxBytes: number): object {
  return {
    WebSocket: WsSocket,
    maxPayload: maxBytes,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: Math.ceil(maxBytes / MIN_CHUNK),
    // ClosingSockets ends the wait, usually far earlier.
    closeTimeout: CLOSING_LIMIT,
    perMessageDeflate: false,
    // The session answers pings within the bound of its send queue: ws would cut off a peer with several unanswered ones, without a close frame.
    autoPong: false,
    // The default would echo the first offered subprotocol, which is any text that a client chooses.
    handleProtocols: () => false as const
  }
}

/** Constructor of a ws socket for a connection whose handshake is done, as ws calls it; missing in @types/ws. */
type Adopting = new <Session extends WsListener>(address: null, protocols: undefined, options: object) => WsSocket<Session>

/**
 * Makes ws take over a connection after the handshake.
 * @param options of the WebSocketServer
 */
export function adoptByWs<Session extends WsListener> (session: Session, network: Socket, context: WsSocketContext<Session>, options: object): WsSocket<Session> {
  const socket = new (WsSocket as unknown as Adopting)<Session>(null, undefined, options).listen(session, context)
  socket.setSocket(network, NOTHING, options)
  return socket
}
