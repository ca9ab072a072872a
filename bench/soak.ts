// Soak test: the load of the fault tests for a given time, with random faults. `npm run soak -- --minutes 5 --seed 1 [--only killNode,flushAll]`;
// `npm run soak -- --durable 300 [--only none,second,always]` kills a node with a journal that often in each mode. Exit code 1 if a guarantee is violated.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DATA_SYNCS, type DataSync } from '../src/broker/journal/data-sync.js'
import { startNodes, type Cluster, type Node, type Scope } from '../test/e2e/faults/cluster.js'
import { FAULTS } from '../test/e2e/faults/faults.js'
import { play, summary, type Outcome } from '../test/e2e/faults/scenario.js'
import { seeded } from '../test/seeded.js'
import { soakDurable } from './soak-durable.js'

type FaultName = keyof typeof FAULTS

/** Faults that make Redis lose data, or unable to prove that it lost none: only then may a loss be declared. */
const MAY_LOSE: ReadonlySet<string> = new Set<FaultName>(['restartRedis', 'emptyRedis', 'flushAll'])
/** Largest number of faults in one round, one after the other under the same load. */
const MAX_FAULTS = 3

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: String(Date.now() % 100_000) }, only: { type: 'string' }, durable: { type: 'string' } } })
const [minutes, seed, durable] = [Number(values.minutes), Number(values.seed), values.durable === undefined ? undefined : Number(values.durable)]
const known: readonly string[] = durable === undefined ? Object.keys(FAULTS) : DATA_SYNCS
const names = values.only?.split(',') ?? known
if (!(minutes > 0) || !Number.isSafeInteger(seed) || (durable !== undefined && !(durable > 0)) || !names.every((name) => known.includes(name))) {
  console.error(`usage: npm run soak -- --minutes 5 --seed 1 --only ${Object.keys(FAULTS).join(',')}\n       npm run soak -- --durable 300 --seed 1 --only ${DATA_SYNCS.join(',')}`)
  process.exit(64)
}

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())
console.log(`soak for ${durable === undefined ? `${minutes} minutes` : `${durable} kills in each mode`}, seed ${seed}`)
const isWell = durable === undefined ? await soak() : await soakDurable({ modes: names as DataSync[], cycles: durable, seed, signal: interrupt.signal })
process.exitCode = isWell ? 0 : 1

/** @returns whether no guarantee was violated */
async function soak (): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'soak-'))
  const ends: Array<() => unknown> = []
  const scope = { testdir: () => dir, teardown: (end: () => unknown) => { ends.push(end) } } as unknown as Scope
  const totals = { rounds: 0, published: 0, acknowledged: 0, delivered: 0, recovered: 0, declared: 0, lost: 0, forgotten: 0, unavailable: 0, violations: 0 }
  let cluster: Cluster | undefined
  try {
    cluster = await startNodes(scope, ['--appendonly', 'yes', '--appendfsync', 'everysec'])
    const { nodes } = cluster
    const random = seeded(seed)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
    for (const end = Date.now() + minutes * 60_000; Date.now() < end && !interrupt.signal.aborted;) {
      const faults = Array.from({ length: 1 + Math.floor(random() * MAX_FAULTS) }, () => ({ name: pick(names as FaultName[]), node: pick(nodes) }))
      console.log(`${++totals.rounds}. ${faults.map(({ name, node }) => `${name}(${node.name})`).join(' + ')}`)
      const outcome = await round(cluster, Math.floor(random() * 2 ** 31), faults)
      for (const key of ['published', 'acknowledged', 'delivered', 'recovered', 'declared', 'lost', 'forgotten', 'unavailable'] as const) totals[key] += outcome.figures[key]
      console.log(`   ${summary(outcome)} · ${nodes.map((node) => `${node.name} ${node.isAlive ? `${node.memory} MiB` : 'dead'}`).join(', ')}`)
      totals.violations += outcome.violations.length
      for (const violation of outcome.violations.slice(0, 20)) console.log(`   VIOLATION ${violation}`)
    }
  } catch (error) {
    totals.violations++
    console.error('   FAILED', error)
    for (const { name, output } of cluster?.nodes ?? []) console.error(`   ${name} said at last:\n${output.split('\n').slice(-10).map((line) => line.slice(0, 300)).join('\n')}`)
  } finally {
    for (const end of ends.reverse()) await end()
  }
  console.log(`${Object.entries(totals).map(([name, value]) => `${name} ${value}`).join(' · ')} · seed ${seed}`)
  if (totals.violations > 0) console.log(`the journals are in ${dir}`)
  else rmSync(dir, { recursive: true, force: true })
  return totals.violations === 0
}

/** Runs some faults under one load, and checks the guarantees. */
async function round (cluster: Cluster, roundSeed: number, faults: ReadonlyArray<{ name: FaultName, node: Node }>): Promise<Outcome> {
  const outcome = await play(cluster, { name: 'soak', seed: roundSeed, rooms: 30, rate: 200 }, async (stage) => {
    for (const { name, node } of faults) {
      stage.journal.mark(`${name} ${node.name}`)
      await FAULTS[name](cluster, stage, node)
      stage.load.resume()
    }
  })
  if (outcome.figures.declared > 0 && !faults.some(({ name }) => MAY_LOSE.has(name))) outcome.violations.push('a loss was declared where nothing can have been lost')
  return outcome
}
