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
}
