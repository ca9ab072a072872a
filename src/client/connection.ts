// Keeps a link to the server: reconnects after a loss, and falls back to an event stream when no WebSocket gets through.
// Written here because partysocket and reconnecting-websocket have no full jitter, do not know our ranges of close codes and ignore the back/forward
// cache, and because they queue messages, which here must wait for the reply to a join.
import type { Environment } from './environment.js'
import type { Frame, RoomError } from './frames.js'
import type { Link } from './link.js'
import { delayAfter, isFinal } from './reconnect.js'
import type { Closing } from './signals.js'
import { SocketLink, type SocketTimes } from './socket.js'
import { openStream } from './stream.js'

/** Time limit for joining, ms. */
const JOIN_TIMEOUT = 10_000
/** Time after a join from which the link counts as stable, ms: the failure count then starts again at 0. */
const STABLE_AFTER = 10_000
/** Longest time between two attempts at a WebSocket while a stream is in use, ms; jitter takes off up to half. */
const SOCKET_RETRY = 60_000

export interface ConnectionOptions extends SocketTimes {
  readonly socketUrl: string
  readonly streamUrl: () => string
  readonly headers: () => Record<string, string>
  readonly socketAttempts: number
}

export interface ConnectionListener {
  /** Runs before each attempt. A rejection fails the attempt, and so does a promise that does not settle in time. */
  prepare: () => Promise<void> | void
  /** A socket is open: the room must be joined. A stream joins by itself. */
  opened: () => void
  frame: (frame: Frame) => void
  /** The server refused the stream: `fail` tries again, `end` gives up. */
  refused: (error: RoomError) => void
  /** The link is lost, and the connection will try again. */
  lost: () => void
  /** The connection has ended for good. */
  ended: (closing: Closing) => void
}

// Past 150 lines: attempts, timers and the two links share one state, and each change of it concerns all of them.
export class Connection {
  /** The link in use, if any. */
  link: Link | undefined
  /** A socket that is tried while a stream is in use. */
  #candidate: Link | undefined
  /** Generation counter. It changes with each attempt and each end: work started under another number is stale. */
  #attempt = 0
  #failures = 0
  #failedSockets = 0
  /** The network blocks sockets: they failed while a stream worked. */
  #isBlocked = false
  #hasReceived = false
  #suspended = false
  #retry: unknown
  #deadline: unknown
  /** Timer from the join until the link counts as stable. */
  #proof: unknown

  readonly #environment: Environment
  readonly #options: ConnectionOptions
  readonly #listener: ConnectionListener

  constructor (environment: Environment, options: ConnectionOptions, listener: ConnectionListener) {
    this.#environment = environment
    this.#options = options
    this.#listener = listener
  }

  get transport (): 'socket' | 'stream' | undefined { return this.link && (this.link.send ? 'socket' : 'stream') }

  /** Connects now: drops the current link and cancels a pending retry. */
  async connect (): Promise<void> {
    this.#drop()
    const attempt = this.#attempt
    this.#hasReceived = false
    this.expectJoin()
    try {
      const preparation = this.#listener.prepare()
      if (preparation) await preparation
    } catch {
      if (attempt === this.#attempt) this.#lost()
      return
    }
    if (attempt !== this.#attempt) return
    if (!this.#environment.WebSocket || this.#isBlocked) return this.#openStream()
    this.link = this.#openSocket()
    this.expectJoin()
  }

  /** Starts the join deadline: unless `joined` is called in time, the link counts as dead. */
  expectJoin (): void {
    this.#environment.clearTimeout(this.#deadline)
    this.#deadline = this.#environment.setTimeout(() => this.fail(), JOIN_TIMEOUT)
  }

  joined (): void {
    this.#environment.clearTimeout(this.#deadline)
    // A timer instead of two readings of the clock: the clock may be set in between.
    this.#proof ??= this.#environment.setTimeout(() => { this.#failures = 0 }, STABLE_AFTER)
  }

  /** Drops the link as dead, and reconnects. */
  fail (): void {
    if (this.transport === 'socket') this.#socketFailed()
    else this.#lost()
  }

  /** Probes an open socket; a link that cannot be probed is replaced at once. */
  wake (): void {
    if (this.#suspended) return
    if (this.link?.probe) this.link.probe()
    else void this.connect()
  }

  /** Closes the link until `resume` is called. */
  suspend (): void {
    this.end()
    this.#listener.lost()
  }

  resume (): void {
    if (!this.#suspended) return
    this.#suspended = false
    void this.connect()
  }

  end (): void {
    this.#suspended = true
    this.#drop()
  }

  #openSocket (): Link {
    const link: Link = new SocketLink(this.#environment, this.#options.socketUrl, this.#options, {
      opened: () => { if (link === this.link) this.#listener.opened() },
      frame: (frame) => {
        // Switch to the candidate only on the server's greeting: a socket that merely opened may still swallow everything.
        if (link === this.#candidate) {
          this.#candidate = undefined
          this.#drop()
          this.link = link
          this.#listener.opened()
        }
        this.#hasReceived = true
        this.#isBlocked = false
        this.#failedSockets = 0
        this.#listener.frame(frame)
      },
      closed: (closing) => {
        if (link === this.#candidate) this.#tryLater()
        else this.#socketFailed(closing)
      }
    })
    return link
  }

  /**
   * Handles the end of a socket. Each socket over which nothing was received, from a number of them on, is followed by a stream at once: if that works, HTTP
   * gets through and sockets do not; if not, the server cannot be reached, and the next attempt is a socket again.
   */
  #socketFailed (closing?: Closing): void {
    if (this.#hasReceived || isFinal(closing?.code) || ++this.#failedSockets < this.#options.socketAttempts) return this.#lost(closing)
    this.#drop()
    this.#listener.lost()
    this.#openStream()
  }

  #openStream (): void {
    const { streamUrl, headers } = this.#options
    this.link = openStream(this.#environment, streamUrl(), headers(), {
      frame: (frame) => {
        this.#hasReceived = true
        // The network may have come back after the last socket had failed.
        if (!this.#isBlocked) this.#tryNow()
        this.#isBlocked = true
        this.#listener.frame(frame)
      },
      closed: () => {
        this.#isBlocked = this.#hasReceived
        this.#lost()
      },
      refused: this.#listener.refused
    })
    this.expectJoin()
    this.#tryLater()
  }

  /** Plans the next socket while a stream is in use. */
  #tryLater (): void {
    this.#candidate?.close()
    this.#candidate = undefined
    this.#environment.clearTimeout(this.#retry)
    this.#retry = this.#environment.setTimeout(() => this.#tryNow(), SOCKET_RETRY * (0.5 + this.#environment.random() / 2))
  }

  #tryNow (): void {
    this.#environment.clearTimeout(this.#retry)
    if (!this.#environment.WebSocket) return
    this.#candidate = this.#openSocket()
    this.#retry = this.#environment.setTimeout(() => this.#tryLater(), JOIN_TIMEOUT)
  }

  #lost (closing?: Closing): void {
    this.#drop()
    if (isFinal(closing?.code)) return this.#listener.ended(closing!)
    this.#retry = this.#environment.setTimeout(() => { void this.connect() }, delayAfter(this.#failures++, this.#environment.random()))
    this.#listener.lost()
  }

  #drop (): void {
    this.#attempt++
    for (const timer of [this.#retry, this.#deadline, this.#proof]) this.#environment.clearTimeout(timer)
    this.link?.close()
    this.#candidate?.close()
    this.link = this.#candidate = this.#proof = undefined
  }
}
