// Time limits for closing sockets: a socket may still deliver its queued bytes, but none stays for long. One timer serves all sockets.

/** Interval between two sweeps, ms. */
const SWEEP_MS = 500
/** Sweeps for a peer that has received all bytes but does not end the connection: 1.5 to 2 s. */
const LINGER_SWEEPS = 4
/**
 * Sweeps for a closing peer with unsent bytes: 30 s, about as long as an open socket may leave a ping unanswered. The limit is not on the time without progress,
 * because progress is not visible: the kernel takes more bytes only once a third of its send buffer is free, which on a slow line happens every few seconds.
 */
const FLUSH_SWEEPS = 60

/** Longest time that a socket may be closing, ms. */
export const CLOSING_LIMIT = FLUSH_SWEEPS * SWEEP_MS

/** A closing socket; member names of the WebSocket standard and of ws. */
export interface Closing {
  /** Bytes that the kernel has not taken yet. */
  readonly bufferedAmount: number
  /** Closes the connection at once. */
  terminate: () => void
}

/** Closing sockets of one server. */
export class ClosingSockets {
  /** Remaining sweeps of each socket. */
  readonly #left = new Map<Closing, number>()
  #timer: NodeJS.Timeout | undefined
  #limit = FLUSH_SWEEPS

  /** @param isOurs true if the server closed the socket: unsent bytes then do not extend the wait */
  add (socket: Closing, isOurs = false): void {
    this.#left.set(socket, isOurs ? LINGER_SWEEPS : this.#limit)
    this.#schedule()
  }

  delete (socket: Closing): void { this.#left.delete(socket) }

  /** Limits every wait to 2 s from now on, because the server is stopping. */
  hurry (): void { this.#limit = LINGER_SWEEPS }

  #schedule (): void { this.#timer ??= setTimeout(() => this.#sweep(), SWEEP_MS).unref() }

  #sweep (): void {
    this.#timer = undefined
    for (const [socket, left] of this.#left) {
      const most = socket.bufferedAmount > 0 ? this.#limit : LINGER_SWEEPS
      if (left > 1) this.#left.set(socket, Math.min(left, most) - 1)
      else socket.terminate()
    }
    if (this.#left.size > 0) this.#schedule()
  }
}
