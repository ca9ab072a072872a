// Bounded sends to one socket: a peer that does not read may cost this many bytes and one frame, and no more.
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { framed, textOf } from '../protocol/framing.js'
import { hold } from './wire.js'

// The option object is shared: a new one for each send would be garbage on the hottest line of the server.
const TEXT = { binary: false }
const OPEN = 1

export class Outbox {
  readonly #socket: WebSocket
  readonly #network: Duplex | undefined
  readonly #maxBytes: number
  readonly #onOverflow: () => void

  /**
   * @param network the connection under the socket, where there is one to write to; without it everything goes through the socket
   * @param maxBytes bytes that may wait for the peer to read them
   * @param onOverflow called when a frame finds no room; it must close the socket
   */
  constructor (socket: WebSocket, network: Duplex | undefined, maxBytes: number, onOverflow: () => void) {
    this.#socket = socket
    this.#network = network
    this.#maxBytes = maxBytes
    this.#onOverflow = onOverflow
  }

  /** Queues one text message. On a socket that is closing it does nothing. */
  send (text: string): void {
    if (!this.#hasRoom()) return
    if (this.#network) this.#write(this.#network, framed(text))
    else this.#socket.send(text, TEXT)
  }

  /** The same for a message that is in its frame already. */
  sendFrame (frame: Buffer): void {
    if (!this.#hasRoom()) return
    if (this.#network) this.#write(this.#network, frame)
    else this.#socket.send(textOf(frame), TEXT)
  }

  /**
   * Queues one frame of many. What is replayed at once may be more than a peer may fall behind by.
   * @returns a promise to wait for before the next one, where half of what may wait is waiting
   */
  sendPaced (frame: Buffer): Promise<void> | undefined {
    if (this.#socket.readyState !== OPEN) return undefined
    if (this.#socket.bufferedAmount * 2 < this.#maxBytes) {
      this.sendFrame(frame)
      return undefined
    }
    // Called when the frame was handed to the network, or when the socket is gone.
    return new Promise((resolve) => this.#socket.send(textOf(frame), TEXT, () => resolve()))
  }

  /** Queues the answer to a ping. */
  pong (data: Buffer): void {
    if (!this.#hasRoom()) return
    if (this.#network) hold(this.#network)
    this.#socket.pong(data)
  }

  /** Passes by the socket, which without extensions would only put the same few bytes before each message again. */
  #write (network: Duplex, frame: Buffer): void {
    // Together with what else goes there in this turn.
    hold(network)
    network.write(frame)
  }

  #hasRoom (): boolean {
    if (this.#socket.readyState !== OPEN) return false
    if (this.#socket.bufferedAmount <= this.#maxBytes) return true
    this.#onOverflow()
    return false
  }
}
