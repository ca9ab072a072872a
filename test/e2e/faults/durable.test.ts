// Node with a journal: its process ends again and again under load, and nothing that was acknowledged is lost. `CYCLES=100 SEED=7 npm test -- …` runs longer.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { seeded } from '../../seeded.js'
import { until } from '../../until.js'
import { startNode, withoutProc } from './cluster.js'
import { judge, SEED } from './judge.js'
import { play, type Outcome } from './scenario.js'
import { killAtWrite, type SeamOptions } from './seams.js'

/** Ends of the process in each test. */
const CYCLES = Number(process.env.CYCLES ?? 5)

async function startDurable (t: Test, sync: string, seams?: SeamOptions) {
  return startNode(t, { DATA_DIR: join(t.testdir({}), 'data'), DATA_SYNC: sync }, seams && { preload: killAtWrite(seams) })
}

/** Starts a process that ends by itself, as often as the test says. */
async function playSeams (t: Test, sync: string, seams: SeamOptions): Promise<Outcome> {
  const nodes = await startDurable(t, sync, seams)
  const { node } = nodes
  const over = new AbortController()
  let deaths = 0
  // Not awaited: a process may end before its first answer is seen.
  const restarts = (async () => {
    while (!over.signal.aborted) {
      await sleep(20)
      if (node.isAlive) continue
      deaths++
      void node.boot().catch(() => {})
    }
  })()
  const outcome = await play(nodes, { name: `seams-${sync}`, seed: SEED, rate: 300 }, async () => {
    await until('the process has ended often enough', () => deaths >= CYCLES, CYCLES * 60_000)
    // The last process lives on.
    node.options.preload = undefined
    await node.kill('SIGKILL')
    await until('the process is back', async () => node.isAlive && await node.status('/ready') === 200, 60_000)
    node.baseline = node.descriptors
  }).finally(() => over.abort())
  await restarts
  return outcome
}

t.test('A node with a journal', { skip: withoutProc, jobs: 2 }, async (t) => {
  for (const sync of ['none', 'second', 'always']) {
    t.test(`DATA_SYNC=${sync}: kill -9 under load loses nothing, and every client recovers`, { buffered: true }, async (t) => {
      const nodes = await startDurable(t, sync)
      const random = seeded(SEED)
      const outcome = await play(nodes, { name: `kill-${sync}`, seed: SEED, rate: 300 }, async () => {
        for (let cycle = 0; cycle < CYCLES; cycle++) {
          await sleep(random() * 600)
          await nodes.node.kill('SIGKILL')
          await nodes.node.start()
        }
      })
      judge(t, outcome)
      t.ok(outcome.figures.recovered > 0)
    })
  }

  t.test('Ends at a write of the journal, before it and behind it, lose nothing', { buffered: true }, async (t) => {
    const outcome = await playSeams(t, 'second', { from: 50, to: 400 })
    judge(t, outcome)
    t.ok(outcome.figures.recovered > 0)
  })

  t.test('A journal that is written behind the sends is found', { buffered: true }, async (t) => {
    const { violations, figures } = await playSeams(t, 'second', { from: 50, to: 400, isMutant: true })
    t.comment(`${violations.length} violations, ${figures.declared} losses declared: ${violations[0]}`)
    t.ok(violations.length + figures.declared > 0)
  })

  t.test('A restart is a blink: a stop by SIGTERM closes sockets with 1012, and every client recovers', { buffered: true }, async (t) => {
    const nodes = await startDurable(t, 'second')
    const outcome = await play(nodes, { name: 'deploy', seed: SEED }, async () => {
      for (let deploy = 0; deploy < 3; deploy++) {
        await sleep(300)
        t.equal(await nodes.node.kill('SIGTERM'), 0)
        await nodes.node.start()
      }
    })
    judge(t, outcome)
    t.strictSame(Object.keys(outcome.figures.closed), ['1012'])
    t.ok(outcome.figures.recovered > 0)
  })
})
