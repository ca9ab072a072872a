// Memory of V8's young generation. It doubles with the garbage of a start, and under load with what is still in use at a collection, up to 32 MiB (128 on Node.js 24),
// and a server that then does little never gives it back.
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Factor by which V8 enlarges the young generation. */
const FACTOR = '--semi-space-growth-factor'
/** Last major version of Node.js on which this was measured. V8 prints a line for a flag that it does not know. */
const LAST_MAJOR = 26

/**
 * Keeps the young generation as small as it is: a start is then 8 to 15 MiB smaller (`npm run bench:start`), for 5 % more of its CPU time.
 * @returns the function that lets it grow again, up to a number of bytes or a little more
 */
export function holdYoungGeneration (version = process.versions.node): (maxBytes: number) => void {
  if (Number.parseInt(version) > LAST_MAJOR) return () => {}
  setFlagsFromString(`${FACTOR}=1`)
  return limitYoungGeneration
}

/** Looks at its size after each collection. It is a limit of its own, since V8 takes `--max-semi-space-size` on the command line alone. */
function limitYoungGeneration (maxBytes: number): void {
  let factor = 1
  const update = () => {
    // In one step: clients reconnect right after a start, and objects that a small young generation has no room for are promoted, and collected later at a higher price.
    const next = Math.max(1, Math.round(maxBytes / size()))
    if (next === factor) return
    factor = next
    setFlagsFromString(`${FACTOR}=${factor}`)
  }
  update()
  new PerformanceObserver(update).observe({ entryTypes: ['gc'] })
}

/** Bytes of the young generation, in use or not. */
function size (): number { return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')!.space_size }
