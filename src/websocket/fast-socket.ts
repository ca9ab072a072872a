// A WebSocket that handles unfragmented text, ping, pong and a peer's close itself, and creates a ws.WebSocket and hands the connection over for anything else.
// Without ws a socket needs little more CPU and memory than its connection and its parser.
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { ABNORMAL, NO_STATUS } from './constants.js'
import { encodeClose } from './frame-writer.js'
import type { Closing, ClosingSockets } from './closing-sockets.js'
import type { FrameHandler, FrameParser, FrameSource } from './frame-parser.js'
import type { RawConnectionListener, RawConnection } from './node/raw-connection.js'

/** Socket as its session sees it. Frames do not go through it: they are written to its connection. */
export type WebSocketLike = Pick<WebSocket, 'isPaused' | 'pause' | 'resume' | 'close'>

/** Session of a socket. */
export interface SocketListener extends FrameHandler {
  /** Called when the socket is closing, before a close frame is written: writes the frames that are queued, and takes no more. */
  readonly onClosing: () => void
}

/** Options shared by all sockets of a server. */
export interface FastWebSocketOptions<Session extends SocketListener> {
  readonly parser: FrameParser
  /** Makes ws take over a connection after the handshake. From then on ws answers the peer and reports the close. */
  readonly adopt: (session: Session, network: Socket) => WebSocket
  /** Called when the socket closes, unless ws has taken over: then ws reports the close. */
  readonly onClose: (session: Session, code: number) => void
  /** Limits the wait for a peer that has received its close reply but does not end the connection. */
  readonly closing: ClosingSockets
}

/** Hands the connection to ws, for good, on everything outside the common case: a close by the server, fragments, malformed input. */
export class FastWebSocket<Session extends SocketListener> implements WebSocketLike, RawConnectionListener, FrameSource, Closing {
  /** Receives the messages. */
  session!: Session
  readonly #options: FastWebSocketOptions<Session>
  partialFrame: Buffer | undefined
  #ws: WebSocket | undefined
  #code = ABNORMAL
  /** Incoming bytes go to ws. */
  #handedOver = false

  /** @param connection must have no other reader */
  constructor (readonly connection: RawConnection, options: FastWebSocketOptions<Session>) {
    this.#options = options
    connection.listener = this
  }

  get bufferedAmount (): number { return this.connection.writableLength }

  get isPaused (): boolean { return this.#ws ? this.#ws.isPaused : this.connection.isPaused }

  /** @param rest bytes received after the handshake */
  start (session: Session, rest: Buffer): void {
    this.session = session
    if (rest.length > 0) this.onData(rest, rest.length)
  }

  onData (memory: Buffer, length: number): void {
    if (this.#handedOver) this.#emitData(Buffer.from(memory.subarray(0, length)))
    else this.#options.parser.read(this, memory, length)
  }

  onClose (): void {
    this.#options.closing.delete(this)
    if (!this.#ws) this.#options.onClose(this.session, this.#code)
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
    this.session.onClosing()
    if (!this.connection.writeAndClose(encodeClose(data))) return false
    this.#code = data.length > 0 ? data.readUInt16BE(0) : NO_STATUS
    this.#options.closing.add(this)
    return true
  }

  terminate (): void { this.connection.destroy() }

  /** @returns undefined if the connection is gone and needs no close */
  #adopt (): WebSocket | undefined {
    if (this.#ws || this.connection.destroyed) return this.#ws
    const { isPaused } = this
    this.#ws = this.#options.adopt(this.session, this.connection.openStream()!)
    if (isPaused) this.#ws.pause()
    return this.#ws
  }

  /** Emits 'data' instead of calling ws directly: ws removes its own listener after a close, and must then receive nothing more. */
  #emitData (bytes: Buffer): void { this.connection.openStream()?.emit('data', bytes) }
}
