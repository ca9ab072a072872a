// WebSocket link with pings of its own: a browser does not expose protocol pings, and a dead connection would go unnoticed.
import type { Environment, SocketLike } from './environment.js'
import { parseFrame, type Link, type LinkListener } from './link.js'
import type { Closing } from './signals.js'

const OPEN = 1
const PING = '{"type":"PING","payload":{}}'

export interface SocketTimes {
  /** Time between two pings, ms. */
  readonly pingInterval: number
  /** Time limit for the answer to a ping, ms. */
  readonly pongTimeout: number
}

/** An open socket. If the platform's constructor throws, `closed` is called as for any other failure. */
export class SocketLink implements Link {
  readonly #environment: Environment
  readonly #times: SocketTimes
  readonly #listener: LinkListener
  readonly #socket: SocketLike | undefined
  #closed = false
  #sent = 0
  #nextPing: unknown
  #deadline: unknown

  constructor (environment: Environment, url: string, times: SocketTimes, listener: LinkListener) {
    this.#environment = environment
    this.#times = times
    this.#listener = listener
    try {
      this.#socket = new environment.WebSocket!(url)
      this.#listen(this.#socket)
    } catch {
      // For example an insecure socket (`ws:`) from a secure page.
      environment.setTimeout(() => this.#fail(), 0)
    }
  }

  send (text: string): number {
    this.#socket!.send(text)
    return ++this.#sent
  }

  probe (): void {
    const socket = this.#socket
    if (socket?.readyState !== OPEN) return
    this.#environment.clearTimeout(this.#nextPing)
    this.#schedulePing()
    this.send(PING)
    // Any message counts as an answer. Without one in time the link is dead, even if `readyState` is still OPEN.
    this.#deadline ??= this.#environment.setTimeout(() => {
      socket.close()
      this.#fail()
    }, this.#times.pongTimeout)
  }

  close (): void {
    this.#end()
    this.#socket?.close(1000)
  }

  #listen (socket: SocketLike): void {
    socket.onopen = () => {
      if (this.#closed) return
      this.#schedulePing()
      this.#listener.opened?.()
    }
    socket.onmessage = ({ data }) => {
      if (this.#closed) return
      this.#environment.clearTimeout(this.#deadline)
      this.#deadline = undefined
      const frame = parseFrame(data)
      if (frame) this.#listener.frame(frame)
    }
    // The close event that follows reports the error, but the socket of `ws` throws if it has no error listener.
    socket.onerror = () => {}
    socket.onclose = ({ code, reason }) => this.#fail({ code, reason: String(reason) })
  }

  #schedulePing (): void {
    this.#nextPing = this.#environment.setTimeout(() => this.probe(), this.#times.pingInterval)
  }

  #fail (closing?: Closing): void {
    if (this.#closed) return
    this.#end()
    this.#listener.closed(closing)
  }

  #end (): void {
    this.#closed = true
    this.#environment.clearTimeout(this.#nextPing)
    this.#environment.clearTimeout(this.#deadline)
  }
}
