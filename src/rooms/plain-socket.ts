// A WebSocket without ws, as long as nothing happens but what payments are made of: then it is a connection and a reader, and costs and weighs little more.
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { PlainReader, type Receiver } from './reader.js'
import type { SharedRead } from './shared-read.js'

/** A socket as its session knows it. Messages go through it only where there is no network under it that may be written to. */
export type ClientSocket =
  Pick<WebSocket, 'readyState' | 'isPaused' | 'pause' | 'resume' | 'close'> & Partial<Pick<WebSocket, 'send' | 'ping' | 'pong' | 'bufferedAmount'>>

/** `readyState`, in the words of the WebSocket standard. */
const OPEN = 1
const CLOSED = 3
/** The close code where there was no close frame (RFC 6455 §7.1.5). */
const ABNORMAL = 1006

/** What all of them have in common. */
export interface PlainSocketOptions<Session extends Receiver> {
  /** Bytes in a message, at most. */
  readonly maxBytes: number
  /** Has ws take over a connection whose handshake is done: from then on it answers, and says when the socket is closed. */
  readonly adopt: (socket: PlainSocket<Session>) => WebSocket
  /** The socket is closed, and ws was never there to say so. */
  readonly closed: (socket: PlainSocket<Session>, code: number) => void
}

/** Whatever is not plain, be it a close from either side, fragments or an attack, is for ws, which is given the connection then and keeps it. */
export class PlainSocket<Session extends Receiver> implements ClientSocket {
  /** Whoever its messages are for. */
  session!: Session
  readonly #options: PlainSocketOptions<Session>
  #reader!: PlainReader
  #ws: WebSocket | undefined
  #isClosed = false
  /** What comes is ws's to read. */
  #isLeft = false

  private constructor (readonly network: Socket, readonly address: string, options: PlainSocketOptions<Session>) { this.#options = options }

  /**
   * @param connection one that nobody else reads or listens to
   * @param address where it comes from
   */
  static on<Session extends Receiver> (connection: SharedRead, address: string, options: PlainSocketOptions<Session>): PlainSocket<Session> {
    const { network } = connection
    const socket = new PlainSocket(network, address, options)
    connection.onChunk = (length, memory) => { socket.#hear(memory, length) }
    // A peer that ends its side without a close frame is gone.
    network.allowHalfOpen = false
    network.on('error', ignore).on('close', () => { socket.#close() })
    return socket
  }

  get readyState (): WebSocket['readyState'] { return this.#ws ? this.#ws.readyState : this.#isClosed ? CLOSED : OPEN }

  get isPaused (): boolean { return this.#ws ? this.#ws.isPaused : this.network.isPaused() }

  /** @param rest what has come behind the handshake */
  begin (session: Session, rest: Buffer): void {
    this.session = session
    this.#reader = new PlainReader(this.network, this.#options.maxBytes, session, this)
    if (rest.length > 0) this.#hear(rest, rest.length)
  }

  pause (): void {
    if (this.#ws) this.#ws.pause()
    else this.network.pause()
  }

  resume (): void {
    if (this.#ws) this.#ws.resume()
    else this.network.resume()
  }

  close (code: number, reason: string): void {
    if (this.#ws || !this.network.destroyed) this.#adopted().close(code, reason)
  }

  /** Everything from here on is for ws. @param bytes are its own */
  leave (bytes: Buffer): void {
    this.#adopted()
    this.#isLeft = true
    this.#tell(bytes)
  }

  #close (): void {
    this.#isClosed = true
    if (!this.#ws) this.#options.closed(this, ABNORMAL)
  }

  #adopted (): WebSocket {
    if (this.#ws) return this.#ws
    const { isPaused } = this
    this.#ws = this.#options.adopt(this)
    if (isPaused) this.#ws.pause()
    return this.#ws
  }

  /** Takes a chunk whose memory is used again. */
  #hear (memory: Buffer, length: number): void {
    if (this.#isLeft) this.#tell(Buffer.from(memory.subarray(0, length)))
    else this.#reader.read(memory, length)
  }

  /** Tells ws as the stream would, for it takes its listener away when it has heard enough. */
  #tell (bytes: Buffer): void { this.network.emit('data', bytes) }
}

/** The close that follows says it. */
function ignore (): void {}
