// Whether Redis can be used, from probes and lost connections: it changes neither at the first refusal nor at the first success, and each change is told once.
import { CONNECTING, LOST, type Trouble } from './trouble.js'

/** Failed probes in a row from which on Redis counts as down. */
const FAILURES = 2
/** Probes in a row that must succeed after a refusal, or on a connection that keeps breaking. */
const SUCCESSES = 3
/** A third loss of the connection within so long makes one that keeps breaking, ms. */
const LOSSES_WITHIN = 60_000
/** How often a Redis that cannot be reached is told again, ms. */
const REPEAT_INTERVAL = 60_000
/** The least time between two lines while it is down, ms: a cause that changes to and fro would fill the log. */
const CHANGE_INTERVAL = 10_000

export interface HealthOptions {
  /** ms, of any clock. */
  readonly now: () => number
  readonly onUp: () => void
  /** Redis went down, or is down for another cause, or still cannot be reached. */
  readonly onDown: (trouble: Trouble) => void
}

export class Health {
  readonly #options: HealthOptions
  /** Why it is down; undefined while it is up. */
  #trouble: Trouble | undefined = CONNECTING
  /** What the last probe failed with, or another command since. */
  #suspicion: Trouble | undefined
  #failures = 0
  #successes = 0
  /** Successes in a row until it is up. */
  #needed = 1
  #losses: number[] = []
  /** What was told last since it went down. */
  #told: { readonly trouble: Trouble, readonly at: number } | undefined
  readonly #begunAt: number

  constructor (options: HealthOptions) {
    this.#options = options
    this.#begunAt = options.now()
  }

  /** Why Redis cannot be used; undefined while it can. */
  get trouble (): Trouble | undefined { return this.#trouble }

  /** Up, and the last probe was fine. */
  get isSteady (): boolean { return !this.#trouble && !this.#suspicion }

  /** Nothing was told yet of this time that it is down, or it is time to look for the cause again. */
  get wantsCause (): boolean { return this.#trouble !== undefined && (!this.#told || this.#options.now() - this.#told.at >= REPEAT_INTERVAL) }

  succeeded (): void {
    this.#failures = 0
    this.#suspicion = undefined
    if (!this.#trouble || ++this.#successes < this.#needed) return
    // Its end would be told and its beginning not.
    if (!this.#told && this.#trouble !== CONNECTING) this.#options.onDown(this.#trouble)
    this.#trouble = undefined
    this.#told = undefined
    this.#options.onUp()
  }

  /** A command was refused, which a probe has to confirm. */
  suspect (trouble: Trouble): void { this.#suspicion = trouble }

  failed (trouble: Trouble): void {
    this.#successes = 0
    this.#suspicion = trouble
    if (!this.#trouble && ++this.#failures < FAILURES) return
    this.#needed = SUCCESSES
    this.#trouble = trouble
    this.#tell()
  }

  /** The connection is gone. A refusal that came just before is the cause: the client leaves a replica by itself. */
  lost (): void {
    this.#successes = 0
    if (this.#trouble) return
    const now = this.#options.now()
    this.#losses = [...this.#losses.filter((at) => now - at < LOSSES_WITHIN), now]
    this.#needed = this.#suspicion || this.#losses.length > 2 ? SUCCESSES : 1
    this.#trouble = this.#suspicion ?? LOST
    if (this.#suspicion) this.#tell()
  }

  /** @param cause why there is no connection, as far as that was found out */
  explain (cause: Trouble | undefined): void {
    if (!this.#trouble) return
    if (cause) this.#trouble = cause
    // To connect for the first time takes a moment.
    if (this.#trouble !== CONNECTING || this.#options.now() - this.#begunAt >= CHANGE_INTERVAL) this.#tell()
  }

  #tell (): void {
    const trouble = this.#trouble!
    const told = this.#told
    const since = told ? this.#options.now() - told.at : Infinity
    const isOther = told?.trouble.reason !== trouble.reason || told.trouble.shard !== trouble.shard
    if (isOther ? since < CHANGE_INTERVAL : trouble.kind !== 'unreachable' || since < REPEAT_INTERVAL) return
    this.#told = { trouble, at: this.#options.now() }
    this.#options.onDown(trouble)
  }
}
