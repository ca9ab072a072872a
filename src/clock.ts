// The two clocks of a process. The wall clock may be put back or forward at any moment, so nothing that lasts is measured by it.

export interface Clocks {
  /** ms since the epoch: for times that are told to others. */
  readonly now: () => number
  /** ms since some moment in the past, which only ever grows: for every rate, deadline and duration of this process. */
  readonly monotonic: () => number
}

export const SYSTEM_CLOCKS: Clocks = { now: () => Date.now(), monotonic: () => performance.now() }
