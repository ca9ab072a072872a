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
      let readiness: Readiness[] = []
      const outcome = await play(cluster, { name: `pause${seconds}`, seed: SEED }, async (stage) => {
        const stop = new AbortController()
        const watches = Promise.all(nodes.map((node) => watchReadiness(node, stop.signal)))
        span = await pauseRedisFor(seconds * 1_000)(cluster, stage, nodes[0])
        stop.abort()
        readiness = await watches
      })
      judge(t, outcome)
      const { answered, slowest, acknowledged, backAfter } = answersBetween(outcome.lines, span.from, span.to)
      t.comment(`${answered} answers, the slowest after ${slowest} ms; all clients back ${backAfter} ms after the pause; not ready after ${readiness.map(({ after }) => after).join(' and ')} ms`)
      t.ok(answered > 0)
      t.ok(slowest <= ANSWERED, `answered within 2 s (${slowest} ms)`)
      t.equal(acknowledged, 0)
      t.ok(backAfter <= RECOVERY, `back within 15 s (${backAfter} ms)`)
      for (const [n, { name }] of nodes.entries()) {
        const { after, statuses } = readiness[n]!
        t.ok(after <= RECOVERY, `${name} has noticed within 15 s (${after} ms)`)
        t.strictSame([...new Set(statuses)], [503], `${name} lives, and reports not ready until the end of the pause`)
      }
    })
  }
})

/** Statuses of /ready from the first 503 on, and the time until then, ms. */
interface Readiness { after: number, readonly statuses: number[] }

/** Asks a node for /ready until the end. Two failed probes tell it that Redis is silent. */
async function watchReadiness (node: Node, end: AbortSignal): Promise<Readiness> {
  const begin = performance.now()
  const readiness: Readiness = { after: Infinity, statuses: [] }
  while (!end.aborted) {
    const status = await node.status('/ready')
    // A request sent during the pause and answered after it may have either status.
    if (!end.aborted && (status === 503 || readiness.statuses.length > 0)) {
      if (readiness.statuses.length === 0) readiness.after = Math.round(performance.now() - begin)
      readiness.statuses.push(status)
    }
    await sleep(250)
  }
  return readiness
}
