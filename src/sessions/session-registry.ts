// All connections of this node, sockets and event streams: one heartbeat for all of them, each in its turn, and the drain before the process ends.
import { setTimeout as sleep } from 'node:timers/promises'
import { CLOSE, type CloseReason } from '../errors.js'
import type { Log } from '../rooms/log.js'

/** Time between two batches of a drain on average, ms; half of it more or less, so that nodes that stop together do not keep step. */
const BATCH_PAUSE = 50
/** Time between two turns of the heartbeat at the least, ms. A ping and its pong take some 20 µs, so all of ten thousand sockets at once would hold every event up for 0.2 s. */
const BUCKET_INTERVAL = 100
/** Turns at the most; where pings come seldom, so do turns. */
const MAX_BUCKETS = 250
/** How often deadlines are looked at, ms. */
const DEADLINE_CHECK = 1_000
/** Sockets that a drain closes at once, at the least. */
const BATCH_SIZE = 100

/** A connection as the heartbeat and the drain see it. */
export interface ManagedSession {
  readonly transport: 'socket' | 'stream'
  /** The number of the oldest ping that was not answered, 0 where there is none. */
  readonly unansweredPing: number
  ping: (number: number) => void
  /** When to look whether it may stay, ms by the monotonic clock. */
  readonly deadline: number
  /** Called once the deadline has come: closes the connection, or puts the deadline off. */
  expire: (time: number) => void
  close: (reason: CloseReason) => void
}

export interface SessionRegistryOptions {
  readonly log: Log
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Time between pings, ms. */
  readonly heartbeat: number
  /** How long to wait for a pong, ms. */
  readonly pongDeadline: number
}

export class SessionRegistry {
  /** No new sockets are wanted: the process is on its way out. */
  draining = false
  /** All of them, and the turn of the heartbeat that each has. */
  readonly #sessions = new Map<ManagedSession, Set<ManagedSession>>()
  readonly #buckets: ReadonlyArray<Set<ManagedSession>>
  readonly #options: SessionRegistryOptions
  readonly #heartbeat: NodeJS.Timeout
  readonly #deadlines: NodeJS.Timeout
  /** Turns that have been given out, and turns that have been. */
  #nextBucket = 0
  #tick = 0

  constructor (options: SessionRegistryOptions) {
    this.#options = options
    const { heartbeat } = options
    this.#buckets = Array.from({ length: Math.max(1, Math.min(MAX_BUCKETS, Math.round(heartbeat / BUCKET_INTERVAL))) }, () => new Set())
    this.#heartbeat = setInterval(() => this.#onHeartbeat(), heartbeat / this.#buckets.length).unref()
    this.#deadlines = setInterval(() => this.#expire(), DEADLINE_CHECK).unref()
  }

  get size (): number { return this.#sessions.size }

  /** How many there are of each kind. */
  counts (): Record<ManagedSession['transport'], number> {
    let stream = 0
    for (const session of this.#sessions.keys()) if (session.transport === 'stream') stream++
    return { socket: this.size - stream, stream }
  }

  /** Turns are given out one after the other, not by the clock: after a restart all come at once. */
  add (session: ManagedSession): void {
    const turn = this.#buckets[this.#nextBucket++ % this.#buckets.length]!
    turn.add(session)
    this.#sessions.set(session, turn)
  }

  remove (session: ManagedSession): void {
    this.#sessions.get(session)?.delete(session)
    this.#sessions.delete(session)
  }

  /**
   * Tells every client to come back elsewhere (1012), in batches, so that they do not all arrive there at once.
   * @param within time for all batches, ms
   */
  async drain (within: number): Promise<void> {
    this.draining = true
    const sessions = [...this.#sessions.keys()]
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
    const time = this.#options.monotonic()
    for (const session of this.#sessions.keys()) if (session.deadline <= time) session.expire(time)
  }

  /** Pings those whose turn it is. */
  #onHeartbeat (): void {
    const turn = this.#buckets[this.#tick % this.#buckets.length]!
    const number = ++this.#tick
    if (turn.size === 0) return
    for (const session of turn) session.ping(number)
    // After a blocked event loop this timer fires before the pongs that already arrived are read; one turn of the loop later they are.
    setTimeout(() => setImmediate(() => closeUnresponsive(turn, number)), this.#options.pongDeadline).unref()
  }
}

/** Drops who has not answered this ping or an older one; a later ping may be on its way already. */
function closeUnresponsive (turn: Iterable<ManagedSession>, number: number): void {
  for (const session of turn) if (session.unansweredPing > 0 && session.unansweredPing <= number) session.close(CLOSE.NO_PONG)
}
