// Health of Redis, from probes and lost connections: a single refusal or a single success does not change it, and each change is reported once.
import { CONNECTING, LOST, type Trouble } from './trouble.js'

/** Consecutive failed probes after which Redis counts as down. */
const FAILURES = 2
/** Consecutive successful probes required after a refusal, or on a connection that keeps breaking. */
const SUCCESSES = 3
/** Window in which a third lost connection makes one that keeps breaking, ms. */
const LOSSES_WITHIN = 60_000
/** Interval at which an unreachable Redis is reported again, ms. */
const REPEAT_INTERVAL = 60_000
/** Minimum time between two reports while Redis is down, ms: an alternating cause would fill the log. */
const CHANGE_INTERVAL = 10_000

export interface HealthOptions {
  /** Milliseconds of any clock. */
  readonly now: () => number
  readonly onUp: () => void
  /** Called when Redis goes down, when the cause changes, and again while Redis stays unreachable. */
  readonly onDown: (trouble: Trouble) => void
}

export class Health {
  readonly #options: HealthOptions
  /** Cause while Redis is down; undefined while it is up. */
  #trouble: Trouble | undefined = CONNECTING
  /** Failure of the last probe, or of a command since then. */
  #suspicion: Trouble | undefined
  #failures = 0
  #successes = 0
  /** Consecutive successes required to count as up. */
  #needed = 1
  #losses: number[] = []
  /** The last report since Redis went down. */
  #lastReport: { readonly trouble: Trouble, readonly at: number } | undefined
  readonly #begunAt: number

  constructor (options: HealthOptions) {
    this.#options = options
    this.#begunAt = options.now()
  }

  /** Reason why Redis cannot be used; undefined while it can. */
  get trouble (): Trouble | undefined { return this.#trouble }

  /** True if Redis is up, the last probe succeeded and no command was refused since. */
  get isSteady (): boolean { return !this.#trouble && !this.#suspicion }

  /** True if Redis is down and this outage was not reported yet, or its cause is due to be looked up again. */
  get wantsCause (): boolean { return this.#trouble !== undefined && (!this.#lastReport || this.#options.now() - this.#lastReport.at >= REPEAT_INTERVAL) }

  succeeded (): void {
    this.#failures = 0
    this.#suspicion = undefined
    if (!this.#trouble || ++this.#successes < this.#needed) return
    // Report the start of the outage too, or the log would show only its end.
    if (!this.#lastReport && this.#trouble !== CONNECTING) this.#options.onDown(this.#trouble)
    this.#trouble = undefined
    this.#lastReport = undefined
    this.#options.onUp()
  }

  /** Records a refused command, which a probe has to confirm. */
  suspect (trouble: Trouble): void { this.#suspicion = trouble }

  failed (trouble: Trouble): void {
    this.#successes = 0
    this.#suspicion = trouble
    if (!this.#trouble && ++this.#failures < FAILURES) return
    this.#needed = SUCCESSES
    this.#trouble = trouble
    this.#report()
  }

  /** Records a lost connection. A refusal just before it is the cause: the client leaves a replica by itself. */
  lost (): void {
    this.#successes = 0
    if (this.#trouble) return
    const now = this.#options.now()
    this.#losses = [...this.#losses.filter((at) => now - at < LOSSES_WITHIN), now]
    this.#needed = this.#suspicion || this.#losses.length > 2 ? SUCCESSES : 1
    this.#trouble = this.#suspicion ?? LOST
    if (this.#suspicion) this.#report()
  }

  /** @param cause reason for the missing connection, if known */
  explain (cause: Trouble | undefined): void {
    if (!this.#trouble) return
    if (cause) this.#trouble = cause
    // The first connection takes a moment.
    if (this.#trouble !== CONNECTING || this.#options.now() - this.#begunAt >= CHANGE_INTERVAL) this.#report()
  }

  #report (): void {
    const trouble = this.#trouble!
    const last = this.#lastReport
    const since = last ? this.#options.now() - last.at : Infinity
    const isNewCause = last?.trouble.reason !== trouble.reason || last.trouble.shard !== trouble.shard
    if (isNewCause ? since < CHANGE_INTERVAL : trouble.kind !== 'unreachable' || since < REPEAT_INTERVAL) return
    this.#lastReport = { trouble, at: this.#options.now() }
    this.#options.onDown(trouble)
  }
}
