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
  /**
   * Flushed before any other writer, such as a journal that must have the events before a peer does. With it the writers are flushed once per round of the event loop:
   * one write of all batches, and one for each socket.
   */
  readonly first?: Flushable | undefined
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
  readonly #first: Flushable | undefined
  readonly #pending: Flushable[] = []
  /** Starts of the ended batches of this round that have events, and the numbers of these. */
  readonly #starts: number[] = []
  readonly #counts: number[] = []
  /** Nesting depth; 0 outside of a batch. */
  #depth = 0
  #events = 0
  /** A flush at the end of the tick is scheduled, for writes outside of a batch; or one at the end of the round. */
  #isFlushScheduled = false

  constructor (options: BatchOptions) {
    this.#options = options
    this.#first = options.first
  }

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
    if (this.#first) return this.#endInRound()
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
    if (this.#first) return this.#scheduleRound()
    this.#isFlushScheduled = true
    process.nextTick(() => {
      this.#isFlushScheduled = false
      this.#flush()
    })
  }

  /** Does what must precede a write. Code that writes to a peer by another way than {@link Batch.add} calls it first. */
  settle (): void { this.#first?.flush() }

  #endInRound (): void {
    if (this.#events > 0) {
      this.#starts.push(this.startedAt)
      this.#counts.push(this.#events)
      this.#events = 0
    }
    if (!this.#isFlushScheduled && (this.#pending.length > 0 || this.#starts.length > 0)) this.#scheduleRound()
  }

  #scheduleRound (): void {
    this.#isFlushScheduled = true
    setImmediate(() => {
      this.#isFlushScheduled = false
      this.settle()
      this.#flush()
      const time = this.#starts.length > 0 ? this.#options.monotonic() : 0
      for (const [i, start] of this.#starts.entries()) this.#options.onEvents?.(time - start, this.#counts[i]!)
      this.#starts.length = this.#counts.length = 0
    })
  }

  #flush (): void {
    for (const writer of this.#pending) writer.flush()
    // Not `length = 0`, which costs a runtime call.
    while (this.#pending.length > 0) this.#pending.pop()
  }
}
