// Waiting for a condition, for as long as a slow machine may need.
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until a condition is true.
 * @param what description for the message of a timeout; a function if the description changes meanwhile
 * @returns the elapsed time, ms
 */
export async function until (what: string | (() => string), condition: () => boolean | Promise<boolean>, timeout = 20_000): Promise<number> {
  // Tests change the wall clock, so the monotonic clock measures.
  const begin = performance.now()
  while (!await condition()) {
    if (performance.now() - begin > timeout) throw new Error(`never happened in ${timeout} ms: ${typeof what === 'string' ? what : what()}`)
    await sleep(5)
  }
  return Math.round(performance.now() - begin)
}
