// A batch: the synchronous work caused by one network read.
// The clock is read once per batch and all writes are flushed at its end. Process-wide state; batches must not nest.

let isOpen = false
let count = 0
const onEnd: Array<() => void> = []

/** Starts a batch. The caller must call {@link endBatch}. */
export function beginBatch (): void {
  isOpen = true
  count++
}

/** Ends the batch and runs the functions registered with {@link onBatchEnd}. */
export function endBatch (): void {
  isOpen = false
  for (const run of onEnd) run()
}

/** Runs a function as one batch. Code that must not allocate a closure calls {@link beginBatch} and {@link endBatch} instead. */
export function runBatch (run: () => void): void {
  beginBatch()
  try {
    run()
  } finally {
    endBatch()
  }
}

export function inBatch (): boolean { return isOpen }

/** Registers a function to run at the end of each batch, in order of registration. */
export function onBatchEnd (run: () => void): void { onEnd.push(run) }

/** Wraps a clock so that it is read at most once per batch: a read costs about as much as a room lookup. */
export function batchClock (read: () => number): () => number {
  let turn = 0
  let time = 0
  return () => {
    if (!isOpen) return read()
    if (turn !== count) {
      turn = count
      time = read()
    }
    return time
  }
}
