// Bounded sends to one socket: a peer that does not read may cost this many bytes and one frame, and no more.
import { CLOSE, type CloseReason } from '../errors.js'
import { encodeTextFrame, PING_FRAME, encodePong, payloadOf, type WireFrame } from '../websocket/frame-writer.js'
import type { WebSocketLike } from '../websocket/fast-socket.js'
import { BatchWriter, type WritableConnection } from '../websocket/batch-writer.js'

// The option object is shared: a new one for each send would be garbage on the hottest line of the server.
const TEXT = { binary: false }
const OPEN = 1

interface Closable { close: (reason: CloseReason) => void }

/** All that is sent to a socket goes through here, so that it keeps its order. */
export class SendQueue {
  readonly #socket: WebSocketLike
  /** Passes by the socket, which without extensions would only put the same few bytes before each message again. */
  readonly #writer: BatchWriter | undefined
  readonly #maxBytes: number
  readonly #owner: Closable

  /**
   * @param network the connection under the socket, where there is one to write to; without it everything goes through the socket
   * @param maxBytes bytes that may wait for the peer to read them
   * @param owner closed as too slow when a frame finds no room
   */
  constructor (socket: WebSocketLike, network: WritableConnection | undefined, maxBytes: number, owner: Closable) {
    this.#socket = socket
    this.#writer = network && new BatchWriter(network)
    this.#maxBytes = maxBytes
    this.#owner = owner
  }

  /** Queues one text message. On a socket that is closing it does nothing. */
  send (text: string): void {
    if (!this.#hasRoom()) return
    if (this.#writer) this.#writer.write(encodeTextFrame(text))
    else this.#socket.send!(text, TEXT)
  }

  /** The same for a message that is in its frame already. */
  sendFrame (frame: WireFrame): void {
    if (!this.#hasRoom()) return
    if (this.#writer) this.#writer.write(frame)
    else this.#socket.send!(payloadOf(frame), TEXT)
  }

  /**
   * Queues one frame of many. What is replayed at once may be more than a peer may fall behind by.
   * @returns a promise to wait for before the next one, where half of what may wait is waiting
   */
  sendPaced (frame: WireFrame): Promise<void> | undefined {
    if (this.#socket.readyState !== OPEN) return undefined
    if (this.#bufferedAmount * 2 < this.#maxBytes) {
      this.sendFrame(frame)
      return undefined
    }
    // Called when the frame was handed to the network, or when the socket is gone.
    return new Promise((resolve) => {
      if (this.#writer) this.#writer.writePaced(frame, resolve)
      else this.#socket.send!(payloadOf(frame), TEXT, () => resolve())
    })
  }

  ping (): void {
    if (this.#socket.readyState !== OPEN) return
    if (this.#writer) this.#writer.write(PING_FRAME)
    else this.#socket.ping!()
  }

  /** Queues the answer to a ping. */
  pong (data: Buffer): void {
    if (!this.#hasRoom()) return
    if (this.#writer) this.#writer.write(encodePong(data))
    else this.#socket.pong!(data)
  }

  /** Sends the close frame, behind all that was queued. */
  close ({ code, reason }: CloseReason): void {
    this.#writer?.flush()
    this.#socket.close(code, reason)
  }

  get #bufferedAmount (): number { return this.#writer ? this.#writer.bufferedAmount : this.#socket.bufferedAmount! }

  #hasRoom (): boolean {
    if (this.#socket.readyState !== OPEN) return false
    if (this.#bufferedAmount <= this.#maxBytes) return true
    this.#owner.close(CLOSE.TOO_SLOW)
    return false
  }
}
