// How long events took to their last socket. Those of one turn arrived and were written together, so the clock is read once for all of them.
import type { FastHistogram } from '../metrics/fast-histogram.js'
import { onBatchEnd, inBatch } from '../websocket/batch.js'
// What it puts off to the end of a turn, the writing, is to be done before this file's.
import '../websocket/batch-writer.js'

/** The events of this turn. */
const relayed = { count: 0, arrivedAt: 0, tally: undefined as FastHistogram | undefined, monotonic: () => 0 }

onBatchEnd(() => {
  const { count, arrivedAt, tally, monotonic } = relayed
  if (count === 0) return
  relayed.count = 0
  tally!.observe((monotonic() - arrivedAt) / 1000, count)
})

/**
 * Counts an event that was relayed.
 * @param arrivedAt ms by the clock
 * @param monotonic the clock, which within a turn stands still
 */
export function observeRelayLatency (tally: FastHistogram, arrivedAt: number, monotonic: () => number): void {
  if (!inBatch()) return tally.observe((monotonic() - arrivedAt) / 1000)
  relayed.count++
  relayed.arrivedAt = arrivedAt
  relayed.tally = tally
  relayed.monotonic = monotonic
}
