// Memory of V8's young generation. It doubles with the garbage of a start, and under load with what is still in use at a collection, up to 32 MiB (128 on Node.js 24),
// and a server that then does little never gives it back.
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Factor by which V8 enlarges the young generation. */
const FACTOR = '--semi-space-growth-factor'
/** Last major version of Node.js on which this was measured. V8 prints a line for a flag that it does not know. */
const LAST_MAJOR = 26

/** Bytes that it may take: at rest and in a storm of clients, which leaves nothing that needs more room; and under load that lasts. */
const AT_REST = 8 * 2 ** 20
const UNDER_LOAD = 32 * 2 ** 20
/** Load lasts when no pause between two collections is longer than this for so long, ms. */
const PAUSE = 2_000
const LASTING = 10_000

/**
 * Keeps the young generation as small as it is: a start is then 8 to 15 MiB smaller (`npm run bench:start`), for 5 % more of its CPU time.
 * @returns the function that lets it grow again, up to a limit
 */
export function holdYoungGeneration (version = process.versions.node): (lasting?: number) => void {
  if (Number.parseInt(version) > LAST_MAJOR) return () => {}
  setFlagsFromString(`${FACTOR}=1`)
  return limitYoungGeneration
}

/**
 * Looks at its size after each collection. With 8 MiB events under load are delayed by more collections, and over Redis, where they are in use until they are answered,
 * a burst takes half as much CPU time again. A limit of its own, since V8 takes `--max-semi-space-size` on the command line alone.
 */
function limitYoungGeneration (lasting = LASTING): void {
  let [begin, last] = [0, -Infinity]
  const update = () => {
    const now = performance.now()
    if (now - last > PAUSE) begin = now
    last = now
    const limit = now - begin >= lasting ? UNDER_LOAD : AT_REST
    // In one step: clients reconnect right after a start, and objects that a small young generation has no room for are promoted, and collected later at a higher price.
    setFlagsFromString(`${FACTOR}=${Math.max(1, Math.round(limit / size()))}`)
  }
  update()
  new PerformanceObserver(update).observe({ entryTypes: ['gc'] })
}

/** Bytes of the young generation, in use or not: twice what one of its halves may hold. V8 of Node.js 26 takes memory for it page by page, so `space_size` says less. */
function size (): number {
  const { space_used_size: used, space_available_size: available } = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')!
  return 2 * (used + available)
}
