// Run of one fault from beginning to end: load, the fault, more load, rest, and then the verdict of the checker and of the nodes.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from '../../seeded.js'
import { until } from '../../until.js'
import { check, type Verdict } from './checker.js'
import { type Nodes } from './cluster.js'
import { Backend } from './backend.js'
import { Journal, readJournal, type Line } from './journal.js'
import { Load } from './load.js'

export interface Outcome extends Verdict {
  readonly lines: Line[]
  /** Time until the watchers were at the end of their logs once all was acknowledged, ms. */
  readonly toldAfter: number
}

export interface ScenarioOptions {
  /** Name of the journal and prefix of the rooms. No spaces. */
  readonly name: string
  readonly seed: number
  readonly rooms?: number
  /** Events per second, over all rooms. */
  readonly rate?: number
  /** Duration of the load before the fault and after it, ms. */
  readonly pace?: number
  /** Codes with which sockets may close, in addition to those of any fault. */
  readonly closes?: readonly number[]
  /** Log message that would report a bug, but belongs to the fault. */
  readonly bug?: string
}

export interface Stage { readonly load: Load, readonly journal: Journal }

let count = 0

/** Runs one fault under load. The outcome has every violation, of the nodes' own duties too (I5), and every payload, key or secret in their logs. */
export async function play (cluster: Nodes, options: ScenarioOptions, fault: (stage: Stage) => Promise<unknown>): Promise<Outcome> {
  const { name, seed, rooms = 24, rate = 200, pace = 1_000, closes, bug } = options
  const { nodes, dir } = cluster
  const prefix = `${name}-${++count}`
  const journal = new Journal(join(dir, `${prefix}.jsonl`))
  const load = new Load({ journal, nodes, prefix, rooms, rate, random: seeded(seed) })
  const [bugs, leaks] = [nodes.map((node) => node.bugs.length), nodes.map((node) => node.leaks.length)]
  const backend = new Backend(nodes, prefix)
  let toldAfter = 0
  try {
    await load.start()
    await sleep(pace)
    journal.mark('fault')
    await fault({ load, journal })
    journal.mark('over')
    load.resume()
    await sleep(pace)
    toldAfter = await load.settle()
  } finally {
    await backend.stop()
    load.stop()
    await journal.close()
  }
  const lines = readJournal(journal.path)
  const verdict = check(lines, closes)
  const violations = [...verdict.violations, ...await atRest(cluster)]
  nodes.forEach((node, i) => violations.push(...node.bugs.slice(bugs[i]).filter((line) => bug === undefined || !line.includes(`"${bug}"`)).map((line) => `I5: ${node.name} logged ${line}`)))
  nodes.forEach((node, i) => violations.push(...node.leaks.slice(leaks[i]).map((line) => `leak: ${node.name} logged ${line}`)))
  return { lines, violations, figures: verdict.figures, toldAfter }
}

/** Checks that a node is as it was before the clients came, once all have gone (I5). */
async function atRest ({ nodes }: Nodes): Promise<string[]> {
  const violations: string[] = []
  for (const node of nodes) {
    if (!node.isAlive) {
      violations.push(`I5: ${node.name} is not alive`)
      continue
    }
    let state = ''
    const isAtRest = async () => {
      const { totalConnections, totalRooms } = await node.figures()
      state = `${totalConnections} connections, ${totalRooms} rooms, ${node.descriptors} descriptors (${node.baseline} before)`
      return totalConnections === 0 && totalRooms === 0 && node.descriptors <= node.baseline + 3
    }
    await until('', isAtRest, 10_000).catch(() => violations.push(`I5: ${node.name} still has ${state}`))
  }
  return violations
}

/** Formats the figures as one line. */
export function summary ({ figures: { closed, ...figures }, toldAfter }: Outcome): string {
  const codes = Object.entries(closed).map(([code, times]) => `${code} × ${times}`).join(', ') || 'none'
  return [...Object.entries(figures).map(([name, value]) => `${name} ${value}`), `closed: ${codes}`, `delivered after ${toldAfter} ms`].join(' · ')
}
