// Keeps a link to the server: tries again when it is lost, and goes over to an event stream where no socket gets through.
// No library does it: partysocket and reconnecting-websocket have neither full jitter nor our close ranges nor an eye for the back/forward
// cache, and they queue frames that must instead wait for the reply to a join.
import type { Environment } from './environment.js'
import type { Frame } from './frames.js'
import type { Link } from './link.js'
import { delayAfter, isFinal } from './reconnect.js'
import type { Closing } from './signals.js'
import { openSocket, type SocketTimes } from './socket.js'
import { openStream } from './stream.js'

/** How long joining may take, ms. */
const JOIN_TIMEOUT = 10_000
/** A link that held this long was a good one: the next attempt counts as the first, ms. */
const STABLE_AFTER = 10_000
/** How long a stream may be silent, ms: two of the server's comments and some. */
const STREAM_IDLE = 60_000
/** While there is a stream, a socket is tried about this often, ms. */
const SOCKET_RETRY = 60_000

export interface ConnectionOptions extends SocketTimes {
  readonly socketUrl: string
  readonly streamUrl: () => string
  readonly headers: () => Record<string, string>
  readonly socketAttempts: number
}

export interface ConnectionListener {
  /** Before each attempt. What it rejects with fails the attempt. */
  prepare: () => Promise<void> | void
  /** A socket is open: the room must be joined. A stream joins by itself. */
  opened: () => void
  frame: (frame: Frame) => void
  /** The link is gone, and will be tried again. */
  lost: () => void
  /** It is over for good. */
  ended: (closing: Closing) => void
}

export class Connection {
  /** The link that is used now, if any. */
  link: Link | undefined
  /** A socket that is being tried while a stream is used. */
  #candidate: Link | undefined
  /** Changes with each attempt and each end: what began under another number is stale. */
  #attempt = 0
  #failures = 0
  #failedSockets = 0
  #streamFailed = false
  #heard = false
  #suspended = false
  #retry: unknown
  #deadline: unknown
  /** Runs from the join until the link has held long enough. */
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

  /** Tries now, whatever was being waited for or used. */
  async connect (): Promise<void> {
    this.#drop()
    const attempt = this.#attempt
    try {
      const preparation = this.#listener.prepare()
      if (preparation) await preparation
    } catch (error) {
      if (attempt === this.#attempt) this.#lost(0, String(error))
      return
    }
    if (attempt !== this.#attempt) return
    this.#heard = false
    if (!this.#environment.WebSocket || (this.#failedSockets >= this.#options.socketAttempts && !this.#streamFailed)) this.#openStream()
    else this.link = this.#openSocket()
    this.expectJoin()
  }

  /** Unless `joined` is called in time, the link is dead. */
  expectJoin (): void {
    this.#environment.clearTimeout(this.#deadline)
    this.#deadline = this.#environment.setTimeout(() => this.fail('not joined in time'), JOIN_TIMEOUT)
  }

  joined (): void {
    this.#environment.clearTimeout(this.#deadline)
    // A timer, and no look at the clock: that may have been set meanwhile.
    this.#proof ??= this.#environment.setTimeout(() => { this.#failures = 0 }, STABLE_AFTER)
  }

  /** Gives the link up as dead. */
  fail (reason: string): void {
    this.#noteSilentAttempt(this.transport === 'stream')
    this.#lost(0, reason)
  }

  /** Asks a socket whether it lives; anything else begins anew at once. */
  wake (): void {
    if (this.#suspended) return
    if (this.link?.probe) this.link.probe()
    else void this.connect()
  }

  /** Lets go until `resume`. */
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
    const link: Link = openSocket(this.#environment, this.#options.socketUrl, this.#options, {
      opened: () => { if (link === this.link) this.#listener.opened() },
      frame: (frame) => {
        // With the server's greeting: a socket that merely opened may still swallow everything.
        if (link === this.#candidate) {
          this.#candidate = undefined
          this.#drop()
          this.link = link
          this.#listener.opened()
        }
        this.#heard = true
        this.#failedSockets = 0
        this.#listener.frame(frame)
      },
      closed: (code, reason) => {
        if (link === this.#candidate) return this.#tryLater()
        this.#noteSilentAttempt(false)
        this.#lost(code, reason)
      }
    })
    return link
  }

  #openStream (): void {
    this.link = openStream(this.#environment, this.#options.streamUrl(), this.#options.headers(), STREAM_IDLE, {
      frame: (frame) => {
        this.#heard = true
        this.#listener.frame(frame)
      },
      closed: (code, reason) => {
        this.#noteSilentAttempt(true)
        this.#lost(code, reason)
      }
    })
    this.#tryLater()
  }

  /** A link through which nothing came: the other kind has its turn sooner. */
  #noteSilentAttempt (isStream: boolean): void {
    if (this.#heard) return
    this.#streamFailed = isStream
    if (!isStream) this.#failedSockets++
  }

  #tryLater (): void {
    const { WebSocket, setTimeout, clearTimeout, random } = this.#environment
    this.#candidate?.close()
    this.#candidate = undefined
    clearTimeout(this.#retry)
    if (!WebSocket) return
    this.#retry = setTimeout(() => {
      this.#candidate = this.#openSocket()
      this.#retry = setTimeout(() => this.#tryLater(), JOIN_TIMEOUT)
    }, SOCKET_RETRY * (0.5 + random() / 2))
  }

  #lost (code: number, reason: string): void {
    const { setTimeout, random } = this.#environment
    this.#drop()
    if (isFinal(code)) return this.#listener.ended({ code, reason })
    this.#retry = setTimeout(() => { void this.connect() }, delayAfter(this.#failures++, random()))
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
