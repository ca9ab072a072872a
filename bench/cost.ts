// Measures the cost of a node and of its Redis: CPU time, memory and bytes for each join, event, socket and room. `npm run bench:cost` writes
// bench/cost.json, the input of bench/capacity.ts. Three runs from fresh processes; each figure is the median. CPU time, since the load of the machine
// changes it the least.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../src/root.js'
import { measureEmbedded, measureRedis, measureRegistry, type EmbeddedCost, type RedisCost, type RegistryCost } from './measure.js'
import { build, median } from './process.js'

const RUNS = 3
const COMMAND = 'npm run bench:cost'

/** Content of bench/cost.json. */
export interface Cost {
  readonly about: { readonly command: string, readonly date: string, readonly cpu: string, readonly node: string, readonly redis: string, readonly runs: number }
  readonly embedded: EmbeddedCost
  readonly redis: RedisCost
  readonly registry: RegistryCost
}

if (process.argv[1] === import.meta.filename) {
  build()
  const embedded = await middleOf('embedded', measureEmbedded)
  const redis = await middleOf('over Redis', measureRedis)
  const registry = await middleOf('many nodes', measureRegistry)
  const cost: Cost = {
    about: {
      command: COMMAND,
      date: new Date().toISOString().slice(0, 10),
      cpu: cpus()[0]!.model,
      node: process.version,
      redis: /v=(\S+)/.exec(String(spawnSync('redis-server', ['--version']).stdout))![1]!,
      runs: RUNS
    },
    embedded,
    redis,
    registry
  }
  writeFileSync(join(ROOT, 'bench/cost.json'), `${JSON.stringify(cost, null, 2)}\n`)
}

/** Measures RUNS times, and takes the median of each figure separately. */
async function middleOf<T extends object> (name: string, measure: () => Promise<T>): Promise<T> {
  const runs: T[] = []
  for (let run = 1; run <= RUNS; run++) {
    runs.push(await measure())
    console.log(`${name}, ${run}: ${JSON.stringify(runs.at(-1), (_, value) => typeof value === 'number' ? rounded(value) : value as unknown)}`)
  }
  return middle(runs) as T
}

function middle (values: readonly unknown[]): unknown {
  const [first] = values
  if (typeof first === 'number') return rounded(median(values as number[]))
  return Object.fromEntries(Object.keys(first as object).map((key) => [key, middle(values.map((value) => (value as Record<string, unknown>)[key]))]))
}

/** Rounds to three digits, which are more than the precision of the measurement. */
function rounded (value: number): number { return Number(value.toPrecision(3)) }
