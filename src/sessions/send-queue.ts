// Bounded send queue of one socket: a peer that does not read costs at most `maxBytes` and one frame.
import { CLOSE, type CloseReason } from '../errors.js'
import { encodeTextFrame, PING_FRAME, encodePong, payloadOf, type WireFrame } from '../websocket/frame-writer.js'
import type { WebSocketLike } from '../websocket/fast-socket.js'
import { BatchWriter, type WritableConnection } from '../websocket/batch-writer.js'

// Shared options object: a new one per send would be garbage on the hottest path of the server.
const TEXT = { binary: false }
const OPEN = 1

interface Closable { close: (reason: CloseReason) => void }

/** All sends to a socket go through its queue, which keeps their order. */
export class SendQueue {
  readonly #socket: WebSocketLike
  /** Bypasses the socket, which without extensions would only prepend the same few header bytes to each message again. */
  readonly #writer: BatchWriter | undefined
  readonly #maxBytes: number
  readonly #owner: Closable

  /**
   * @param network connection under the socket; if undefined, all sends go through the socket
   * @param maxBytes maximum bytes queued for the peer
   * @param owner closed with TOO_SLOW when the queue is full
   */
  constructor (socket: WebSocketLike, network: WritableConnection | undefined, maxBytes: number, owner: Closable) {
    this.#socket = socket
    this.#writer = network && new BatchWriter(network)
    this.#maxBytes = maxBytes
    this.#owner = owner
  }

  /** Queues one text message. Does nothing if the socket is closing. */
  send (text: string): void {
    if (!this.#hasRoom()) return
    if (this.#writer) this.#writer.write(encodeTextFrame(text))
    else this.#socket.send!(text, TEXT)
  }

  /** Queues one message that is already encoded as a frame. */
  sendFrame (frame: WireFrame): void {
    if (!this.#hasRoom()) return
    if (this.#writer) this.#writer.write(frame)
    else this.#socket.send!(payloadOf(frame), TEXT)
  }

  /**
   * Queues one frame of a replay. A replay may be larger than `maxBytes`, so it must be paced.
   * @returns a promise to await before the next frame, if half of `maxBytes` is queued
   */
  sendPaced (frame: WireFrame): Promise<void> | undefined {
    if (this.#socket.readyState !== OPEN) return undefined
    if (this.#bufferedAmount * 2 < this.#maxBytes) {
      this.sendFrame(frame)
      return undefined
    }
    // Resolves when the frame was handed to the network, or when the socket is gone.
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

  pong (data: Buffer): void {
    if (!this.#hasRoom()) return
    if (this.#writer) this.#writer.write(encodePong(data))
    else this.#socket.pong!(data)
  }

  /** Sends the close frame after all queued frames. */
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
