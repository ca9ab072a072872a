// One turn of work: all that a chunk off the network gives rise to, done at once and without waiting. Within it time stands still.

let isOpen = false
let count = 0
const onEnd: Array<() => void> = []

/** Makes one turn of what is done until {@link endBatch}, which must be called then. */
export function beginBatch (): void {
  isOpen = true
  count++
}

/** Does what was put off until now. */
export function endBatch (): void {
  isOpen = false
  for (const run of onEnd) run()
}

/** Makes one turn of what is run. Where garbage counts, the two above do. */
export function runBatch (run: () => void): void {
  beginBatch()
  try {
    run()
  } finally {
    endBatch()
  }
}

export function inBatch (): boolean { return isOpen }

/** Has something done at the end of each turn, in the order of these calls. */
export function onBatchEnd (run: () => void): void { onEnd.push(run) }

/** A clock that is read at most once in a turn: reading one costs about as much as looking up a room. */
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
