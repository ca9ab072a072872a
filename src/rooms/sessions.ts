// All connections of this node, sockets and event streams: one heartbeat for all of them, and the drain before the process ends.
import { setTimeout as sleep } from 'node:timers/promises'
import { CLOSE, type CloseReason } from '../errors.js'
import type { Log } from './log.js'

/** Time between two batches of a drain on average, ms; half of it more or less, so that nodes that stop together do not keep step. */
const BATCH_PAUSE = 50
/** How often deadlines are looked at, ms. */
const DEADLINE_CHECK = 1_000
/** Sockets that a drain closes at once, at the least. */
const BATCH_SIZE = 100

/** A connection as the heartbeat and the drain see it. */
export interface Connection {
  readonly transport: 'socket' | 'stream'
  /** The number of the oldest ping that was not answered, 0 where there is none. */
  readonly unansweredPing: number
  ping: (number: number) => void
  /** When to look whether it may stay, ms since the epoch. */
  readonly deadline: number
  /** Called once the deadline has come: closes the connection, or puts the deadline off. */
  expire: (now: number) => void
  close: (reason: CloseReason) => void
}

export interface SessionsOptions {
  readonly log: Log
  /** ms since the epoch. */
  readonly now: () => number
  /** Time between pings, ms. */
  readonly heartbeat: number
  /** How long to wait for a pong, ms. */
  readonly pongDeadline: number
}

export class Sessions {
  /** No new sockets are wanted: the process is on its way out. */
  draining = false
  readonly #sessions = new Set<Connection>()
  readonly #options: SessionsOptions
  readonly #heartbeat: NodeJS.Timeout
  readonly #deadlines: NodeJS.Timeout
  #pings = 0

  constructor (options: SessionsOptions) {
    this.#options = options
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeat).unref()
    this.#deadlines = setInterval(() => this.#expire(), DEADLINE_CHECK).unref()
  }

  get size (): number { return this.#sessions.size }

  /** How many there are of each kind. */
  counts (): Record<Connection['transport'], number> {
    let stream = 0
    for (const session of this.#sessions) if (session.transport === 'stream') stream++
    return { socket: this.size - stream, stream }
  }

  add (session: Connection): void { this.#sessions.add(session) }

  remove (session: Connection): void { this.#sessions.delete(session) }

  /**
   * Tells every client to come back elsewhere (1012), in batches, so that they do not all arrive there at once.
   * @param within time for all batches, ms
   */
  async drain (within: number): Promise<void> {
    this.draining = true
    const sessions = [...this.#sessions]
    const size = Math.max(BATCH_SIZE, Math.ceil(sessions.length * BATCH_PAUSE / within))
    for (let i = 0; i < sessions.length; i += size) {
      if (i > 0) await sleep(BATCH_PAUSE * (0.5 + Math.random()))
      for (const session of sessions.slice(i, i + size)) session.close(CLOSE.RESTARTING)
    }
    if (sessions.length > 0) this.#options.log.info({ clients: sessions.length }, 'clients told to reconnect')
  }

  /** Stops the heartbeat, and the watch over deadlines. */
  stop (): void {
    clearInterval(this.#heartbeat)
    clearInterval(this.#deadlines)
  }

  #expire (): void {
    const now = this.#options.now()
    for (const session of this.#sessions) if (session.deadline <= now) session.expire(now)
  }

  #beat (): void {
    const number = ++this.#pings
    for (const session of this.#sessions) session.ping(number)
    // After a blocked event loop this timer fires before the pongs that already arrived are read; one turn later they are.
    setTimeout(() => setImmediate(() => this.#dropSilent(number)), this.#options.pongDeadline).unref()
  }

  /** Drops who has not answered this ping or an older one; a later ping may be on its way already. */
  #dropSilent (number: number): void {
    for (const session of this.#sessions) if (session.unansweredPing > 0 && session.unansweredPing <= number) session.close(CLOSE.NO_PONG)
  }
}
