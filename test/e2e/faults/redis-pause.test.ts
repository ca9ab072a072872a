// Pauses of Redis under load on two nodes, for a moment and for half a minute: publishes are refused, nothing is lost, and all clients recover by themselves.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { withoutRedis } from '../../redis.js'
import { ANSWERED, answersBetween } from './answers.js'
import { RECOVERY, startNodes, type Node } from './cluster.js'
import { pauseRedisFor, type Span } from './faults.js'
import { judge, SEED } from './judge.js'
import { play } from './scenario.js'

t.test('A pause of Redis', { skip: withoutRedis }, async (t) => {
  const cluster = await startNodes(t, ['--appendonly', 'yes', '--appendfsync', 'everysec'])
  const { nodes } = cluster

  // 30 s is longer than a node's lease in Redis, and than the other nodes wait for it (src/broker/redis/nodes.ts).
  for (const seconds of [5, 30]) {
    t.test(`Redis paused for ${seconds} s: UNAVAILABLE within 2 s, nothing acknowledged, not ready meanwhile, and soon back`, async (t) => {
      let span: Span = { from: 0, to: 0 }
      let statuses: number[] = []
      const outcome = await play(cluster, { name: `pause${seconds}`, seed: SEED }, async (stage) => {
        const stop = new AbortController()
        const readiness = watchReadiness(nodes, stop.signal)
        span = await pauseRedisFor(seconds * 1_000)(cluster, stage, nodes[0])
        stop.abort()
        statuses = await readiness
      })
      judge(t, outcome)
      const { answered, slowest, acknowledged, backAfter } = answersBetween(outcome.lines, span.from, span.to)
      t.comment(`${answered} answers, the slowest after ${slowest} ms; all clients back ${backAfter} ms after the pause; asked ${statuses.length} times for /ready`)
      t.ok(answered > 0)
      t.ok(slowest <= ANSWERED, `answered within 2 s (${slowest} ms)`)
      t.equal(acknowledged, 0)
      t.ok(backAfter <= RECOVERY, `back within 15 s (${backAfter} ms)`)
      t.ok(statuses.length >= 2 && statuses.every((status) => status === 503), 'both nodes live, and report not ready')
    })
  }
})

/** Asks each node for /ready once it should have noticed that Redis is silent, and again until the end. @returns the statuses of the meantime */
async function watchReadiness (nodes: readonly Node[], end: AbortSignal): Promise<number[]> {
  const statuses: number[] = []
  await sleep(ANSWERED)
  while (!end.aborted) {
    const answers = await Promise.all(nodes.map((node) => node.status('/ready')))
    // A request sent during the pause and answered after it may have either status.
    if (!end.aborted) statuses.push(...answers)
    await sleep(500)
  }
  return statuses
}
