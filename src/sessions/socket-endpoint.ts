// Opens and closes the sockets of a server: a session for each, on the fast path or on ws.
import type { Log } from '../rooms/log.js'
import { shortId } from '../random-id.js'
import { StreamConnection, type WritableConnection } from '../websocket/batch-writer.js'
import { ClosingSockets } from '../websocket/closing-sockets.js'
import { FastWebSocket, type FastWebSocketOptions, type WebSocketLike } from '../websocket/fast-socket.js'
import { FrameParser } from '../websocket/frame-parser.js'
import { hasKnownHandle } from '../websocket/node/internals.js'
import type { RawConnection } from '../websocket/node/raw-connection.js'
import { adoptByWs, type WsSocket, type WsSocketContext } from '../websocket/ws-socket.js'
import type { SessionRegistry } from './session-registry.js'
import { SocketSession, type SocketSessionOptions } from './socket-session.js'

export interface SocketEndpointOptions {
  readonly sessions: SessionRegistry
  readonly log: Log
  /** Options of each session. */
  readonly session: SocketSessionOptions
  /** Maximum size of a message, bytes. */
  readonly maxBytes: number
  /** True if frames may be written to the handle of a connection, past its stream. */
  readonly usesHandles: boolean
  /** Returns the options of the WebSocketServer, for sockets that ws takes over. */
  readonly wsOptions: () => object
}

export class SocketEndpoint {
  readonly #options: SocketEndpointOptions
  readonly #closing = new ClosingSockets()
  readonly #wsContext: WsSocketContext<SocketSession>
  readonly #fastOptions: FastWebSocketOptions<SocketSession>

  constructor (options: SocketEndpointOptions) {
    this.#options = options
    const { log, maxBytes, session: { transport }, wsOptions } = options
    const onClose = (session: SocketSession, code: number) => this.#closed(session, code)
    this.#wsContext = { batch: transport.batch, closing: this.#closing, onClose, onError: ({ code }) => log.debug({ code }, 'socket failed') }
    this.#fastOptions = {
      parser: new FrameParser({ maxBytes, transport }),
      closing: this.#closing,
      onClose,
      adopt: (session, network) => adoptByWs(session, network, this.#wsContext, wsOptions())
    }
  }

  /**
   * Opens a socket on the fast path.
   * @param connection whose handshake is valid and not answered yet
   * @param address client address
   * @param response to the handshake, written together with the greeting
   * @param rest bytes received after the handshake
   */
  openFast (connection: RawConnection, address: string, response: Buffer, rest: Buffer): void {
    const socket = new FastWebSocket(connection, this.#fastOptions)
    this.#options.session.transport.batch.run(() => socket.start(this.#open(socket, connection, address, response), rest))
  }

  /** Opens a socket whose handshake ws has answered. @param address client address */
  openWs (socket: WsSocket<SocketSession>, address: string): void {
    const { network } = socket
    const connection = new StreamConnection(network, this.#options.usesHandles && hasKnownHandle(network))
    socket.listen(this.#open(socket, connection, address), this.#wsContext)
  }

  /**
   * Asks all clients to reconnect and waits until their sockets are closed.
   * @param within time for the requests, ms; a peer that does not answer its close frame is cut after 2 s
   */
  async close (within: number): Promise<void> {
    const { sessions } = this.#options
    this.#closing.hurry()
    await sessions.drain(within)
    await sessions.socketsGone()
  }

  /** @param before bytes to send in front of the greeting */
  #open (socket: WebSocketLike, connection: WritableConnection, address: string, before?: Buffer): SocketSession {
    const { sessions, log, session: options } = this.#options
    const clientId = `client_${options.now()}_${shortId()}`
    const session = new SocketSession({ clientId, address, socket, connection }, options)
    sessions.open(session)
    log.info({ clientId, address }, 'client connected')
    session.greet(before)
    return session
  }

  #closed (session: SocketSession, code: number): void {
    this.#options.sessions.closed(session)
    session.onClose(code)
  }
}
