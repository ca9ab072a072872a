// Bounded sends to one socket: a peer that does not read may cost this many bytes and one frame, and no more.
import { CLOSE, type CloseReason } from '../errors.js'
import { framed, PING, pong, textOf, type Frame } from '../websocket/frame-writer.js'
import type { ClientSocket } from '../websocket/fast-socket.js'
import { Wire, type Network } from '../websocket/batch-writer.js'

// The option object is shared: a new one for each send would be garbage on the hottest line of the server.
const TEXT = { binary: false }
const OPEN = 1

interface Closable { close: (reason: CloseReason) => void }

/** All that is sent to a socket goes through here, so that it keeps its order. */
export class Outbox {
  readonly #socket: ClientSocket
  /** Passes by the socket, which without extensions would only put the same few bytes before each message again. */
  readonly #wire: Wire | undefined
  readonly #maxBytes: number
  readonly #owner: Closable

  /**
   * @param network the connection under the socket, where there is one to write to; without it everything goes through the socket
   * @param maxBytes bytes that may wait for the peer to read them
   * @param owner closed as too slow when a frame finds no room
   */
  constructor (socket: ClientSocket, network: Network | undefined, maxBytes: number, owner: Closable) {
    this.#socket = socket
    this.#wire = network && new Wire(network)
    this.#maxBytes = maxBytes
    this.#owner = owner
  }

  /** Queues one text message. On a socket that is closing it does nothing. */
  send (text: string): void {
    if (!this.#hasRoom()) return
    if (this.#wire) this.#wire.write(framed(text))
    else this.#socket.send!(text, TEXT)
  }

  /** The same for a message that is in its frame already. */
  sendFrame (frame: Frame): void {
    if (!this.#hasRoom()) return
    if (this.#wire) this.#wire.write(frame)
    else this.#socket.send!(textOf(frame), TEXT)
  }

  /**
   * Queues one frame of many. What is replayed at once may be more than a peer may fall behind by.
   * @returns a promise to wait for before the next one, where half of what may wait is waiting
   */
  sendPaced (frame: Frame): Promise<void> | undefined {
    if (this.#socket.readyState !== OPEN) return undefined
    if (this.#waiting * 2 < this.#maxBytes) {
      this.sendFrame(frame)
      return undefined
    }
    // Called when the frame was handed to the network, or when the socket is gone.
    return new Promise((resolve) => {
      if (this.#wire) this.#wire.writePaced(frame, resolve)
      else this.#socket.send!(textOf(frame), TEXT, () => resolve())
    })
  }

  ping (): void {
    if (this.#socket.readyState !== OPEN) return
    if (this.#wire) this.#wire.write(PING)
    else this.#socket.ping!()
  }

  /** Queues the answer to a ping. */
  pong (data: Buffer): void {
    if (!this.#hasRoom()) return
    if (this.#wire) this.#wire.write(pong(data))
    else this.#socket.pong!(data)
  }

  /** Sends the close frame, behind all that was queued. */
  close ({ code, reason }: CloseReason): void {
    this.#wire?.flush()
    this.#socket.close(code, reason)
  }

  get #waiting (): number { return this.#wire ? this.#wire.waiting : this.#socket.bufferedAmount! }

  #hasRoom (): boolean {
    if (this.#socket.readyState !== OPEN) return false
    if (this.#waiting <= this.#maxBytes) return true
    this.#owner.close(CLOSE.TOO_SLOW)
    return false
  }
}
