// Waits for what happens by itself, for as long as a slow machine may need.
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until something is true.
 * @param what for the message where it never is; a function, where there is more to tell by then
 * @returns how long it took, ms
 */
export async function until (what: string | (() => string), condition: () => boolean | Promise<boolean>, timeout = 20_000): Promise<number> {
  // Tests set the wall clock.
  const begin = performance.now()
  while (!await condition()) {
    if (performance.now() - begin > timeout) throw new Error(`never happened in ${timeout} ms: ${typeof what === 'string' ? what : what()}`)
    await sleep(5)
  }
  return Math.round(performance.now() - begin)
}
