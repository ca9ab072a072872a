// Sockets that are closing. Each may take what is still on its way to it, and none stays for long; one timer for all of them.

/** Time between two sweeps, ms. */
const SWEEP_MS = 500
/** Sweeps for a peer that has nothing to take any more but does not end the connection: 1.5 to 2 s. */
const LINGER_SWEEPS = 4
/**
 * Sweeps for a peer that closes and still has bytes to take: 30 s, about what an open socket has that does not answer pings. It is no limit on the time without
 * progress, since progress cannot be seen: the kernel takes more only once a third of its send buffer is free, which on a slow line is every few seconds.
 */
const FLUSH_SWEEPS = 60

/** The longest that a socket is closing, ms. */
export const CLOSING_LIMIT = FLUSH_SWEEPS * SWEEP_MS

/** A socket that is closing, in the words of the WebSocket standard and of ws. */
export interface Closing {
  /** Bytes that the kernel has not taken yet. */
  readonly bufferedAmount: number
  /** Closes the connection at once. */
  terminate: () => void
}

/** The sockets of one server that are closing. */
export class ClosingSockets {
  /** The sweeps that each of them has left. */
  readonly #left = new Map<Closing, number>()
  #timer: NodeJS.Timeout | undefined
  #limit = FLUSH_SWEEPS

  /** @param isOurs the server closed it: such a peer is not waited for while it takes what is on its way */
  add (socket: Closing, isOurs = false): void {
    this.#left.set(socket, isOurs ? LINGER_SWEEPS : this.#limit)
    this.#schedule()
  }

  delete (socket: Closing): void { this.#left.delete(socket) }

  /** From now on, nobody has longer than 2 s: the server stops. */
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
