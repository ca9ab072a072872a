// A WebSocket without ws, as long as nothing happens but what payments are made of: then it is a connection and a reader, and costs and weighs little more.
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { encodeClose } from './frame-writer.js'
import type { Closing, ClosingSockets } from './closing-sockets.js'
import { FrameParser, type Fallback, type FrameHandler } from './frame-parser.js'
import type { RawConnectionListener, RawConnection } from './node/raw-connection.js'

/** A socket as its session knows it. Messages go through it only where there is no network under it that may be written to. */
export type WebSocketLike =
  Pick<WebSocket, 'readyState' | 'isPaused' | 'pause' | 'resume' | 'close'> & Partial<Pick<WebSocket, 'send' | 'ping' | 'pong' | 'bufferedAmount'>>

/** `readyState`, in the words of the WebSocket standard. */
const OPEN = 1
const CLOSING = 2
const CLOSED = 3
/** The close codes where there was no close frame, and none in it (RFC 6455 §7.1.5). */
const ABNORMAL = 1006
const NO_STATUS = 1005

/** What all of them have in common. */
export interface FastWebSocketOptions<Session extends FrameHandler> {
  /** Bytes in a message, at most. */
  readonly maxBytes: number
  /** Has ws take over a connection whose handshake is done: from then on it answers, and says when the socket is closed. */
  readonly adopt: (socket: FastWebSocket<Session>, network: Socket) => WebSocket
  /** The socket is closed, and ws was never there to say so. */
  readonly onClose: (socket: FastWebSocket<Session>, code: number) => void
  /** Ends the wait for a peer that was answered its close and does not end the connection. */
  readonly closing: ClosingSockets
}

/** Whatever is not plain, be it a close from our side, fragments or an attack, is for ws, which is given the connection then and keeps it. */
export class FastWebSocket<Session extends FrameHandler> implements WebSocketLike, RawConnectionListener, Fallback, Closing {
  /** Whoever its messages are for. */
  session!: Session
  readonly #options: FastWebSocketOptions<Session>
  #parser!: FrameParser
  #ws: WebSocket | undefined
  #state: WebSocket['readyState'] = OPEN
  #code = ABNORMAL
  /** What comes is ws's to read. */
  #handedOver = false

  /**
   * @param connection one that nobody else reads
   * @param address where it comes from
   */
  constructor (readonly connection: RawConnection, readonly address: string, options: FastWebSocketOptions<Session>) {
    this.#options = options
    connection.listener = this
  }

  get readyState (): WebSocket['readyState'] { return this.#ws ? this.#ws.readyState : this.#state }

  get bufferedAmount (): number { return this.connection.writableLength }

  get isPaused (): boolean { return this.#ws ? this.#ws.isPaused : this.connection.isPaused }

  /** @param rest what has come behind the handshake */
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

  /** Everything from here on is for ws. @param bytes are its own */
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

  /** @returns undefined where the connection is gone, which needs nobody to close it */
  #adopt (): WebSocket | undefined {
    if (this.#ws || this.connection.destroyed) return this.#ws
    const { isPaused } = this
    this.#ws = this.#options.adopt(this, this.connection.openStream()!)
    if (isPaused) this.#ws.pause()
    return this.#ws
  }

  /** Tells ws as the stream would, for it takes its listener away when it has heard enough. */
  #emitData (bytes: Buffer): void { this.connection.openStream()?.emit('data', bytes) }
}
