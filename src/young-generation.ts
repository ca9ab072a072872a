// Memory of V8's young generation during a start. Loading modules fills it once, V8 doubles it each time, and a server that then does little never gives it back.
import { setFlagsFromString } from 'node:v8'

/** Factor by which V8 enlarges the young generation. */
const FACTOR = '--semi-space-growth-factor'
const DEFAULT = 2

/** Last major version of Node.js on which this was measured. V8 prints a line for a flag that it does not know. */
const LAST_MAJOR = 26

/**
 * Keeps the young generation as small as it is: a start is then 8 to 15 MiB smaller (`npm run bench:start`), for 5 % more of its CPU time.
 * @returns the function that lets it grow again, as it does under load
 */
export function holdYoungGeneration (version = process.versions.node): () => void {
  if (Number.parseInt(version) > LAST_MAJOR) return () => {}
  setFlagsFromString(`${FACTOR}=1`)
  return () => { setFlagsFromString(`${FACTOR}=${DEFAULT}`) }
}
