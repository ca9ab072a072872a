// Soak of a node with a journal: its process is killed with SIGKILL under load, as often as asked for in each mode, and nothing acknowledged may be lost.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSync } from '../src/broker/journal/data-sync.js'
import { startNode, type Scope } from '../test/e2e/faults/cluster.js'
import { play, summary, type Outcome } from '../test/e2e/faults/scenario.js'
import { seeded } from '../test/seeded.js'

/** Kills under one load; then the log of the node and of the checker begin anew, on the same journal. */
const KILLS_AT_ONCE = 10

/** Longest life of a process after it was ready, ms. */
const LIFE = 600

export interface DurableSoak {
  readonly modes: readonly DataSync[]
  /** Kills in each mode. */
  readonly cycles: number
  readonly seed: number
  readonly signal: AbortSignal
}

/** @returns whether no guarantee was violated */
export async function soakDurable ({ modes, cycles, seed, signal }: DurableSoak): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'soak-durable-'))
  let violations = 0
  for (const mode of modes) {
    const totals = { kills: 0, published: 0, acknowledged: 0, delivered: 0, recovered: 0, declared: 0, lost: 0 }
    for (const random = seeded(seed); totals.kills < cycles && violations === 0 && !signal.aborted;) {
      const kills = Math.min(KILLS_AT_ONCE, cycles - totals.kills)
      const outcome = await round({ mode, kills, dir, random })
      totals.kills += kills
      for (const key of ['published', 'acknowledged', 'delivered', 'recovered', 'declared', 'lost'] as const) totals[key] += outcome.figures[key]
      console.log(`${mode} ${totals.kills}. ${summary(outcome)}`)
      if (outcome.figures.declared > 0) outcome.violations.push('a loss was declared where nothing can have been lost')
      violations += outcome.violations.length
      for (const violation of outcome.violations.slice(0, 20)) console.log(`   VIOLATION ${violation}`)
    }
    console.log(`${mode}: ${Object.entries(totals).map(([name, value]) => `${name} ${value}`).join(' · ')} · violations ${violations} · seed ${seed}`)
  }
  if (violations > 0) console.log(`the journals are in ${dir}`)
  else rmSync(dir, { recursive: true, force: true })
  return violations === 0
}

interface Round { readonly mode: DataSync, readonly kills: number, readonly dir: string, readonly random: () => number }

async function round ({ mode, kills, dir, random }: Round): Promise<Outcome> {
  const ends: Array<() => unknown> = []
  const scope = { testdir: () => dir, teardown: (end: () => unknown) => { ends.push(end) } } as unknown as Scope
  try {
    const nodes = await startNode(scope, { DATA_DIR: join(dir, mode), DATA_SYNC: mode })
    return await play(nodes, { name: mode, seed: Math.floor(random() * 2 ** 31), rate: 300 }, async () => {
      for (let kill = 0; kill < kills; kill++) {
        await sleep(random() * LIFE)
        await nodes.node.kill('SIGKILL')
        await nodes.node.start()
        // Another soak may have taken the port meanwhile: its server would answer in place of ours.
        if (!nodes.node.isAlive) throw new Error(`the node has ended: ${nodes.node.output.slice(-300)}`)
      }
    })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}
