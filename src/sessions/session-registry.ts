// All connections of this node, sockets and event streams: their limits, one heartbeat that pings them in buckets, and the drain at shutdown.
import { setTimeout as sleep } from 'node:timers/promises'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Log } from '../rooms/log.js'
import type { ConnectionLimits } from './connection-limits.js'

/** Average pause between two batches of a drain, ms; varies by ±50 %, so that nodes that stop together do not run in step. */
const BATCH_PAUSE = 50
/** Minimum interval between two buckets, ms. A ping and its pong take about 20 µs, so pinging ten thousand sockets at once would delay every event by 0.2 s. */
const BUCKET_INTERVAL = 100
/** Number of pings that are sent at once; fewer wait for others, for so long, ms. Pongs that come back together are read in one round of the event loop. */
const PINGS_AT_ONCE = 64
const MAX_WAIT = 1_000
/** Upper bound of buckets; with a long HEARTBEAT_SECONDS each bucket just fires less often. */
const MAX_BUCKETS = 250
/** Interval between two checks of the deadlines, ms. */
const DEADLINE_CHECK = 1_000
/** Minimum number of connections that a drain closes per batch. */
const BATCH_SIZE = 100

/** Connection as the heartbeat and the drain see it. */
export interface ManagedSession {
  /** Client address, by which the connection limits count. */
  readonly address: string
  readonly transport: 'socket' | 'stream'
  /** Number of the oldest unanswered ping; 0 if there is none. */
  readonly unansweredPing: number
  ping: (number: number) => void
  /** Time at which to check if the connection may stay, ms by the monotonic clock. */
  readonly deadline: number
  /** Called once the deadline has passed: closes the connection or moves the deadline. */
  expire: (time: number) => void
  close: (reason: CloseReason) => void
}

export interface SessionRegistryOptions {
  readonly limits: ConnectionLimits
  readonly log: Log
  /** Monotonic clock, ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Interval between two pings of a session, ms. */
  readonly heartbeat: number
  /** Time to wait for a pong, ms. */
  readonly pongDeadline: number
}

export class SessionRegistry {
  /** True from the start of the drain: the process is stopping, and new sockets are refused. */
  draining = false
  /** All sessions, each with its heartbeat bucket. */
  readonly #sessions = new Map<ManagedSession, Set<ManagedSession>>()
  readonly #buckets: ReadonlyArray<Set<ManagedSession>>
  readonly #options: SessionRegistryOptions
  #heartbeat: NodeJS.Timeout | undefined
  /** Interval between two buckets, ms. */
  readonly #interval: number
  readonly #deadlines: NodeJS.Timeout
  #sockets = 0
  #onSocketsGone: () => void = () => {}
  /** Number of buckets assigned so far, and number of buckets pinged so far. */
  #nextBucket = 0
  #tick = 0
  /** Number of buckets that are pinged together, at most. */
  readonly #mostTogether: number

  constructor (options: SessionRegistryOptions) {
    this.#options = options
    const { heartbeat } = options
    this.#buckets = Array.from({ length: Math.max(1, Math.min(MAX_BUCKETS, Math.round(heartbeat / BUCKET_INTERVAL))) }, () => new Set())
    this.#interval = heartbeat / this.#buckets.length
    this.#mostTogether = Math.max(1, Math.min(this.#buckets.length, Math.floor(MAX_WAIT / this.#interval)))
    this.#awaitHeartbeat()
    this.#deadlines = setInterval(() => this.#expire(), DEADLINE_CHECK).unref()
  }

  get size (): number { return this.#sessions.size }

  /** Number of sessions by transport. */
  counts (): Record<ManagedSession['transport'], number> { return { socket: this.#sockets, stream: this.size - this.#sockets } }

  /** @returns the reason to refuse a connection from this address; undefined if it may be opened */
  refusalOf (address: string): Failure | undefined {
    // While the server drains it takes no upgrades, so that an upgrade arrives as a plain request.
    return this.draining ? new Failure('UNAVAILABLE', 'The server is restarting; reconnect.') : this.#options.limits.check(address)
  }

  /** Counts a session and adds it to the next bucket. Buckets are assigned round-robin, not by the clock: after a restart all clients connect at once. */
  open (session: ManagedSession): void {
    const bucket = this.#buckets[this.#nextBucket++ % this.#buckets.length]!
    bucket.add(session)
    this.#sessions.set(session, bucket)
    this.#options.limits.acquire(session.address)
    if (session.transport === 'socket') this.#sockets++
  }

  /** Removes a session whose connection is closed. */
  closed (session: ManagedSession): void {
    this.#sessions.get(session)?.delete(session)
    if (!this.#sessions.delete(session)) return
    this.#options.limits.release(session.address)
    if (session.transport === 'socket' && --this.#sockets === 0) this.#onSocketsGone()
  }

  /** Resolves when no socket is open. Event streams are not waited for: a reader that reads no more would delay it. */
  async socketsGone (): Promise<void> { if (this.#sockets > 0) await new Promise<void>((resolve) => { this.#onSocketsGone = resolve }) }

  /**
   * Asks every client to reconnect (close code 1012), in batches, so that the clients do not all arrive at another node at once.
   * @param within time for all batches, ms
   */
  async drain (within: number): Promise<void> {
    this.draining = true
    const { log, monotonic } = this.#options
    const sessions = [...this.#sessions.keys()]
    const size = Math.max(BATCH_SIZE, Math.ceil(sessions.length * BATCH_PAUSE / within))
    const startedAt = monotonic()
    for (let closed = 0; closed < sessions.length;) {
      if (closed > 0) await sleep(BATCH_PAUSE * (0.5 + Math.random()))
      // A busy process wakes late from its pauses; then a batch is as large as the time that has passed calls for.
      const due = Math.ceil(sessions.length * (monotonic() - startedAt) / within)
      const batch = sessions.slice(closed, Math.max(closed + size, due))
      for (const session of batch) session.close(CLOSE.RESTARTING)
      closed += batch.length
    }
    if (sessions.length > 0) log.info({ clients: sessions.length }, 'clients asked to reconnect')
  }

  /** Stops the heartbeat and the deadline checks. */
  stop (): void {
    clearTimeout(this.#heartbeat)
    clearInterval(this.#deadlines)
  }

  #expire (): void {
    const time = this.#options.monotonic()
    for (const session of this.#sessions.keys()) if (session.deadline <= time) session.expire(time)
  }

  /**
   * Waits for the turn of the next bucket, or of the last of several that are too few for themselves. One timer for all of them: each time that a process wakes
   * costs it some 70 µs, and an idle one woke for ten empty buckets a second.
   */
  #awaitHeartbeat (): void {
    const buckets: Array<ReadonlySet<ManagedSession>> = []
    for (let count = 0; buckets.length < this.#mostTogether && count < PINGS_AT_ONCE;) {
      const bucket = this.#buckets[this.#tick++ % this.#buckets.length]!
      buckets.push(bucket)
      count += bucket.size
    }
    this.#heartbeat = setTimeout(() => this.#onHeartbeat(buckets), buckets.length * this.#interval).unref()
  }

  #onHeartbeat (buckets: ReadonlyArray<ReadonlySet<ManagedSession>>): void {
    const number = this.#tick
    this.#awaitHeartbeat()
    if (buckets.every(({ size }) => size === 0)) return
    for (const bucket of buckets) for (const session of bucket) session.ping(number)
    // After a blocked event loop this timer fires before pongs that have already arrived are read; setImmediate lets the loop read them first.
    setTimeout(() => setImmediate(() => { for (const bucket of buckets) closeUnresponsive(bucket, number) }), this.#options.pongDeadline).unref()
  }
}

/** Closes sessions that have not answered this ping or an older one; a later ping may already be in flight. */
function closeUnresponsive (bucket: Iterable<ManagedSession>, number: number): void {
  for (const session of bucket) if (session.unansweredPing > 0 && session.unansweredPing <= number) session.close(CLOSE.NO_PONG)
}
