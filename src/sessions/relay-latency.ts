// Relay latency of events: from arrival to the write to the last socket. Events of one batch arrive and are written together, so the clock is read once per batch.
import type { FastHistogram } from '../metrics/fast-histogram.js'
import { onBatchEnd, inBatch } from '../websocket/batch.js'
// Imported for its onBatchEnd callback, which writes the frames and must run before the callback of this file.
import '../websocket/batch-writer.js'

/** Events relayed in the current batch. */
const relayed = { count: 0, arrivedAt: 0, tally: undefined as FastHistogram | undefined, monotonic: () => 0 }

onBatchEnd(() => {
  const { count, arrivedAt, tally, monotonic } = relayed
  if (count === 0) return
  relayed.count = 0
  tally!.observe((monotonic() - arrivedAt) / 1000, count)
})

/**
 * Records the latency of an event that was relayed.
 * @param arrivedAt arrival time, ms by the monotonic clock
 * @param monotonic the clock, whose value is constant within a batch
 */
export function observeRelayLatency (tally: FastHistogram, arrivedAt: number, monotonic: () => number): void {
  if (!inBatch()) return tally.observe((monotonic() - arrivedAt) / 1000)
  relayed.count++
  relayed.arrivedAt = arrivedAt
  relayed.tally = tally
  relayed.monotonic = monotonic
}
