// Wall clock and monotonic clock of the process. The wall clock may be set back or forward at any moment, so durations are never measured with it.
// Imported, as the global of this name is a getter: 2 % of an event.
import { performance } from 'node:perf_hooks'

export interface Clocks {
  /** Wall clock, ms since the epoch: for timestamps that leave the process. */
  readonly now: () => number
  /** Monotonic clock, ms since an arbitrary start; never goes back. For every rate, deadline and duration within this process. */
  readonly monotonic: () => number
}

export const SYSTEM_CLOCKS: Clocks = { now: () => Date.now(), monotonic: () => performance.now() }
