// A batch: the synchronous work that one network read causes. Its clocks are read once, and everything that it writes is flushed at its end.

export interface BatchOptions {
  /** Wall clock, ms since the epoch. */
  readonly now: () => number
  /** Monotonic clock, ms. */
  readonly monotonic: () => number
  /**
   * Called at the end of a batch with counted events, once everything is written.
   * @param latency ms since the start of the batch
   * @param events number of {@link Batch.countEvent} calls in the batch
   */
  readonly onEvents?: (latency: number, events: number) => void
}

/** Writer with bytes to flush at the end of the batch. */
export interface Flushable { readonly flush: () => void }

/** One object per server, reused for each batch: a batch per read would be garbage on the hottest path. */
export class Batch {
  /** Start of the batch by the wall clock, ms since the epoch. */
  now = 0
  /** Start of the batch by the monotonic clock, ms. */
  startedAt = 0
  readonly #options: BatchOptions
  readonly #pending: Flushable[] = []
  /** Nesting depth; 0 outside of a batch. */
  #depth = 0
  #events = 0
  /** A flush at the end of the tick is scheduled, for writes outside of a batch. */
  #isFlushScheduled = false

  constructor (options: BatchOptions) { this.#options = options }

  /** True from `begin` to `end`. */
  get isOpen (): boolean { return this.#depth > 0 }

  /** Starts a batch; a nested one is part of the outer one. The caller must call {@link Batch.end}. */
  begin (): void {
    if (this.#depth++ > 0) return
    this.now = this.#options.now()
    this.startedAt = this.#options.monotonic()
  }

  /** Ends the batch: flushes the writers, and reports the latency of the events. */
  end (): void {
    if (--this.#depth > 0) return
    this.#flush()
    if (this.#events === 0) return
    const events = this.#events
    this.#events = 0
    this.#options.onEvents?.(this.#options.monotonic() - this.startedAt, events)
  }

  /** Runs a function as one batch. Code that must not allocate a closure calls {@link Batch.begin} and {@link Batch.end} instead. */
  run (work: () => void): void {
    this.begin()
    try {
      work()
    } finally {
      this.end()
    }
  }

  /** Counts an event, whose latency lasts until the end of the batch. */
  countEvent (): void { this.#events++ }

  /** Flushes a writer at the end of the batch; outside of a batch, at the end of the tick. */
  add (writer: Flushable): void {
    this.#pending.push(writer)
    if (this.#depth > 0 || this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    process.nextTick(() => {
      this.#isFlushScheduled = false
      this.#flush()
    })
  }

  #flush (): void {
    for (const writer of this.#pending) writer.flush()
    // Not `length = 0`, which costs a runtime call.
    while (this.#pending.length > 0) this.#pending.pop()
  }
}
