// A WebSocket that handles unfragmented text, ping, pong and a peer's close itself, and creates a ws.WebSocket and hands the connection over for anything else.
// Without ws a socket needs little more CPU and memory than its connection and its parser.
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { encodeClose } from './frame-writer.js'
import type { Closing, ClosingSockets } from './closing-sockets.js'
import { FrameParser, type Fallback, type FrameHandler } from './frame-parser.js'
import type { RawConnectionListener, RawConnection } from './node/raw-connection.js'

/** Socket as its session sees it. Messages go through it only if there is no WritableConnection to write to. */
export type WebSocketLike =
  Pick<WebSocket, 'readyState' | 'isPaused' | 'pause' | 'resume' | 'close'> & Partial<Pick<WebSocket, 'send' | 'ping' | 'pong' | 'bufferedAmount'>>

/** `readyState` values of the WebSocket standard. */
const OPEN = 1
const CLOSING = 2
const CLOSED = 3
/** Close codes for a connection that ended without a close frame, and for a close frame without a code (RFC 6455 §7.1.5). */
const ABNORMAL = 1006
const NO_STATUS = 1005

/** Options shared by all sockets of a server. */
export interface FastWebSocketOptions<Session extends FrameHandler> {
  /** Maximum size of a message, bytes. */
  readonly maxBytes: number
  /** Makes ws take over a connection after the handshake. From then on ws answers the peer and reports the close. */
  readonly adopt: (socket: FastWebSocket<Session>, network: Socket) => WebSocket
  /** Called when the socket closes, unless ws has taken over: then ws reports the close. */
  readonly onClose: (socket: FastWebSocket<Session>, code: number) => void
  /** Limits the wait for a peer that has received its close reply but does not end the connection. */
  readonly closing: ClosingSockets
}

/** Hands the connection to ws, for good, on everything outside the common case: a close by the server, fragments, malformed input. */
export class FastWebSocket<Session extends FrameHandler> implements WebSocketLike, RawConnectionListener, Fallback, Closing {
  /** Receives the messages. */
  session!: Session
  readonly #options: FastWebSocketOptions<Session>
  #parser!: FrameParser
  #ws: WebSocket | undefined
  #state: WebSocket['readyState'] = OPEN
  #code = ABNORMAL
  /** Incoming bytes go to ws. */
  #handedOver = false

  /**
   * @param connection must have no other reader
   * @param address client address
   */
  constructor (readonly connection: RawConnection, readonly address: string, options: FastWebSocketOptions<Session>) {
    this.#options = options
    connection.listener = this
  }

  get readyState (): WebSocket['readyState'] { return this.#ws ? this.#ws.readyState : this.#state }

  get bufferedAmount (): number { return this.connection.writableLength }

  get isPaused (): boolean { return this.#ws ? this.#ws.isPaused : this.connection.isPaused }

  /** @param rest bytes received after the handshake */
  start (session: Session, rest: Buffer): void {
    this.session = session
    this.#parser = new FrameParser(this, this.#options.maxBytes, session, this)
    if (rest.length > 0) this.onData(rest, rest.length)
  }

  onData (memory: Buffer, length: number): void {
    if (this.#handedOver) this.#emitData(Buffer.from(memory.subarray(0, length)))
    else this.#parser.read(memory, length)
  }

  onClose (): void {
    if (this.#state === CLOSING) this.#options.closing.delete(this)
    this.#state = CLOSED
    if (!this.#ws) this.#options.onClose(this, this.#code)
  }

  pause (): void {
    if (this.#ws) this.#ws.pause()
    else this.connection.pause()
  }

  resume (): void {
    if (this.#ws) this.#ws.resume()
    else this.connection.resume()
  }

  close (code: number, reason: string): void { this.#adopt()?.close(code, reason) }

  /** Hands this and all later input to ws. @param bytes belong to ws from now on */
  onUnsupported (bytes: Buffer): void {
    this.#adopt()
    this.#handedOver = true
    this.#emitData(bytes)
  }

  onCloseFrame (data: Buffer): boolean {
    if (!this.connection.writeAndClose(encodeClose(data))) return false
    this.#state = CLOSING
    this.#code = data.length > 0 ? data.readUInt16BE(0) : NO_STATUS
    this.#options.closing.add(this)
    return true
  }

  terminate (): void { this.connection.destroy() }

  /** @returns undefined if the connection is gone and needs no close */
  #adopt (): WebSocket | undefined {
    if (this.#ws || this.connection.destroyed) return this.#ws
    const { isPaused } = this
    this.#ws = this.#options.adopt(this, this.connection.openStream()!)
    if (isPaused) this.#ws.pause()
    return this.#ws
  }

  /** Emits 'data' instead of calling ws directly: ws removes its own listener after a close, and must then receive nothing more. */
  #emitData (bytes: Buffer): void { this.connection.openStream()?.emit('data', bytes) }
}
