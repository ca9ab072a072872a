// Bounded sends to one socket: a peer that does not read may cost this many bytes and one frame, and no more.
import type { WebSocket } from 'ws'

// The option object is shared: a new one for each send would be garbage on the hottest line of the server.
const TEXT = { binary: false }
const OPEN = 1

export class Outbox {
  readonly #socket: WebSocket
  readonly #maxBytes: number
  readonly #onOverflow: () => void

  /**
   * @param maxBytes bytes that may wait for the peer to read them
   * @param onOverflow called when a frame finds no room; it must close the socket
   */
  constructor (socket: WebSocket, maxBytes: number, onOverflow: () => void) {
    this.#socket = socket
    this.#maxBytes = maxBytes
    this.#onOverflow = onOverflow
  }

  /** Queues one text frame. On a socket that is closing it does nothing. */
  send (frame: Buffer | string): void {
    if (this.#socket.readyState !== OPEN) return
    if (this.#socket.bufferedAmount > this.#maxBytes) this.#onOverflow()
    else this.#socket.send(frame, TEXT)
  }

  /**
   * Queues one text frame of many. What is replayed at once may be more than a peer may fall behind by.
   * @returns a promise to wait for before the next one, where half of what may wait is waiting
   */
  sendPaced (frame: Buffer): Promise<void> | undefined {
    if (this.#socket.readyState !== OPEN) return undefined
    if (this.#socket.bufferedAmount * 2 < this.#maxBytes) {
      this.#socket.send(frame, TEXT)
      return undefined
    }
    // Called when the frame was handed to the network, or when the socket is gone.
    return new Promise((resolve) => this.#socket.send(frame, TEXT, () => resolve()))
  }
}
