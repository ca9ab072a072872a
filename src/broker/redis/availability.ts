// Availability of Redis: follows its connections, sends heartbeats and probes, and reports each loss and each return with the cause.
// One class past 150 lines, since each step reads what the others have found: the connection, the subscription, the last refusal.
import type { Failure } from '../../errors.js'
import type { RedisClients } from './clients.js'
import { diagnose } from './diagnosis.js'
import { EvictionPolicy } from './eviction-policy.js'
import { Health } from './health.js'
import { BEAT_INTERVAL } from './nodes.js'
import type { Probe } from './probe.js'
import { LOST, troubleOf, type Trouble } from './trouble.js'

/** Minimum time between two reports of an error of a single command, ms. */
const ERROR_INTERVAL = 60_000

/**
 * Changes in the state of Redis. `up`, `down`: Redis can or cannot be used (`down` again every minute while Redis is unreachable, and when the cause changes).
 * `refused`: a single command failed with an error that says nothing about others. `evicts`: the eviction policy may drop rooms in use. `failed`: a bug in this process.
 */
export type RedisNews =
  | { readonly what: 'up' }
  | { readonly what: 'down', readonly trouble: Trouble }
  | { readonly what: 'refused', readonly trouble: Trouble }
  | { readonly what: 'evicts', readonly policy: string }
  | { readonly what: 'failed', readonly error: unknown }

export interface AvailabilityOptions {
  readonly connection: RedisClients
  readonly probe: Probe
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Subscribes to all channels of this node, on a connection that is new. */
  readonly subscribe: () => Promise<Failure | undefined>
  /** Called when all channels are subscribed: messages before were missed. */
  readonly onSubscribed: () => Promise<void>
  /** Sends the heartbeat of this node. */
  readonly beat: () => Promise<void>
  readonly onNews: (news: RedisNews) => void
  /** Takes work that no caller awaits. */
  readonly runInBackground: (work: Promise<unknown>) => void
}

/** Loss, return and checks of Redis share one state, so they are one class of more than 150 lines. */
export class Availability {
  readonly #options: AvailabilityOptions
  readonly #health: Health
  readonly #policy: EvictionPolicy
  /** True if the subscriber is subscribed to all its channels. */
  #subscribed = false
  #connecting = false
  #checking = false
  #diagnosing = false
  #closing = false
  #beatAt = -Infinity
  /** Refusal of a command since the connection was made. */
  #refusal: Trouble | undefined
  #errorAt = -Infinity
  /** Connection error of the client since Redis was last up. */
  #connectionError: unknown

  constructor (options: AvailabilityOptions) {
    this.#options = options
    const { connection: { commands, clients }, monotonic, runInBackground } = options
    this.#policy = new EvictionPolicy({ commands, onOther: (policy) => this.#report({ what: 'evicts', policy }) })
    this.#health = new Health({ now: monotonic, onUp: () => this.#onUp(), onDown: (trouble) => this.#report({ what: 'down', trouble }) })
    for (const client of clients) {
      client.on('error', (error: unknown) => {
        this.#connectionError = error
        this.#onDisconnected()
      })
      client.on('ready', () => runInBackground(this.#onConnected()))
      client.on('close', () => this.#onDisconnected())
    }
  }

  /** True if Redis can be used. */
  get isUp (): boolean { return this.#health.trouble === undefined && this.#isConnected }

  /** Reason why Redis cannot be used; undefined while it can. */
  get reason (): string | undefined { return this.#health.trouble?.reason }

  /** True if both connections are ready and all channels are subscribed. */
  get isSubscribed (): boolean { return this.#isConnected && this.#subscribed }

  /** Continues with a lost connection, or with a subscription that failed. */
  async restore (): Promise<void> { return this.#isConnected ? this.#onConnected() : this.#onDisconnected() }

  /** Checks Redis if a heartbeat is due, or while its health is in doubt. */
  async tick (): Promise<void> {
    if (this.#options.monotonic() - this.#beatAt >= BEAT_INTERVAL || !this.#health.isSteady) await this.#check()
  }

  /** Handles a refused command: the next tick probes Redis. An error that says nothing about other commands is only reported. */
  onRefused (error: unknown): void {
    // One refusal is enough to start a probe; a full Redis refuses thousands.
    if (this.#closing || (this.#subscribed && !this.#health.isSteady)) return
    const trouble = troubleOf(error)
    if (!this.#isEvidence(trouble)) return
    if (trouble.kind === 'error') return this.#reportCommand(trouble)
    this.#refusal = trouble
    this.#health.suspect(trouble)
  }

  /** Ends all reports. */
  close (): void { this.#closing = true }

  get #isConnected (): boolean { return this.#options.connection.clients.every(({ status }) => status === 'ready') }

  #report (news: RedisNews): void { if (!this.#closing) this.#options.onNews(news) }

  /** Reports trouble with a single command, at most once a minute. */
  #reportCommand (trouble: Trouble): void {
    const now = this.#options.monotonic()
    if (now - this.#errorAt < ERROR_INTERVAL) return
    this.#errorAt = now
    this.#report({ what: 'refused', trouble })
  }

  /** Both connections are ready: subscribes to all channels, registers this node, and then checks for missed entries. */
  async #onConnected (): Promise<void> {
    if (this.#connecting || !this.#isConnected) return
    this.#connecting = true
    this.#refusal = undefined
    const failure = await this.#options.subscribe()
    // Without a refusal, the connection was lost again or the next tick retries.
    if (failure) {
      if (this.#refusal) this.#onFailedCheck(this.#refusal)
    } else if (this.#isConnected) {
      this.#subscribed = true
      await this.#check()
      await this.#options.onSubscribed()
    }
    this.#connecting = false
  }

  #onDisconnected (): void {
    // While the cluster is connected, an error of one of its connections changes nothing.
    if (this.#closing || this.#isConnected) return
    this.#subscribed = false
    this.#health.lost()
    if (this.#health.wantsCause) this.#options.runInBackground(this.#diagnose())
  }

  async #diagnose (): Promise<void> {
    if (this.#diagnosing) return
    this.#diagnosing = true
    const cause = await diagnose(this.#options.connection)
    this.#diagnosing = false
    const clientTrouble = troubleOf(this.#connectionError)
    // If the connection is back by now, the probes decide whether Redis can be used.
    if (!this.#isConnected) this.#health.explain(cause ?? (clientTrouble.kind === 'unreachable' ? clientTrouble : undefined))
  }

  /** Sends a heartbeat, and probes whether rooms can be read and written. */
  async #check (): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    const { connection: { subscriber, isCluster }, probe, beat, monotonic } = this.#options
    this.#beatAt = monotonic()
    // If the network drops packets, the channels only fall silent; an unanswered PING closes the connection. A cluster manages its subscribers itself.
    const [refused, ...others] = await Promise.all([probe.run(), this.#attempt(beat()), isCluster ? undefined : this.#attempt(subscriber.ping())])
    this.#checking = false
    const trouble = refused ?? others.find((other) => other)
    if (trouble) return this.#onFailedCheck(trouble)
    if (!this.isSubscribed) return
    this.#health.succeeded()
    // Redis can be used, so the refusal concerns one room: the slot of a cluster that REDIS_URL does not name as one, for example.
    if (this.#refusal) this.#reportCommand(this.#refusal)
    this.#refusal = undefined
  }

  #onFailedCheck (trouble: Trouble): void {
    if (!this.#isEvidence(trouble)) return
    this.#refusal = undefined
    this.#health.failed(trouble)
  }

  #onUp (): void {
    this.#connectionError = undefined
    this.#report({ what: 'up' })
    this.#options.runInBackground(this.#policy.check())
  }

  /**
   * Without a connection every command fails, which says nothing about Redis: the client's `close` event reports the loss. In a cluster the error
   * belongs to one shard, and nothing else reports it.
   */
  #isEvidence ({ code }: Trouble): boolean { return this.#isConnected && !this.#closing && (this.#options.connection.isCluster || code !== LOST.code) }

  /** @returns the trouble if work failed. It is recorded at once, since a refusal may close the connection before the check is complete. */
  async #attempt (work: Promise<unknown>): Promise<Trouble | undefined> {
    try {
      await work
      return undefined
    } catch (error) {
      const trouble = troubleOf(error)
      if (this.#isEvidence(trouble)) this.#health.suspect(trouble)
      return trouble
    }
  }
}
