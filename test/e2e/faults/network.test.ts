// Faults on the way between nodes and Redis, and a Redis that is absent at boot: nothing is lost, and no client waits for ever.
import t from 'tap'
import { withoutRedis } from '../../redis.js'
import { Peer } from '../../peer.js'
import { until } from '../../until.js'
import { answersBetween } from './answers.js'
import { prepare, RECOVERY } from './cluster.js'
import { dropLastPublish, partition, partitionAndCut, type Span } from './faults.js'
import { judge, SEED } from './judge.js'
import { play } from './scenario.js'

t.test('Faults on the way to Redis', { skip: withoutRedis }, async (t) => {
  const cluster = await prepare(t)
  const { nodes, redis } = cluster
  const [a, b] = nodes

  t.test('With Redis absent at boot the nodes live and report not ready; they are ready once Redis is there', async (t) => {
    await redis.kill()
    await Promise.all(nodes.map((node) => node.boot()))
    // Asked until it answers: a process that has just started may be slow on a busy machine.
    for (const node of nodes) await until(`${node.name} is not ready`, async () => await node.status('/ready') === 503)
    const early = await Peer.connect(t, a.url)
    early.send('JOIN_ROOM', { roomId: 'early' })
    t.match(await early.next('ERROR'), { payload: { code: 'UNAVAILABLE', retryable: true } })
    await redis.start()
    const took = Math.max(...await Promise.all(nodes.map((node) => node.ready())))
    t.comment(`ready after ${took} ms`)
    t.ok(took <= RECOVERY)
    t.match(await early.join('early'), { payload: { roomId: 'early', seq: 0 } }, 'the join succeeds on the same socket')
    for (const node of nodes) {
      t.ok(node.isAlive)
      node.baseline = node.descriptors
    }
  })

  for (const [fault, node, how] of [[partition, a, 'and everything arrives late'], [partitionAndCut, b, 'and the connections break']] as const) {
    t.test(`One node is cut off for 4 s, ${how}`, async (t) => {
      let span: Span = { from: 0, to: 0 }
      const outcome = await play(cluster, { name: fault.name, seed: SEED }, async (stage) => { span = await fault(cluster, stage, node) })
      judge(t, outcome)
      const { backAfter } = answersBetween(outcome.lines, span.from, span.to)
      t.comment(`all clients back after ${backAfter} ms`)
      t.ok(backAfter <= RECOVERY, `back within 15 s (${backAfter} ms)`)
      t.ok(outcome.figures.unavailable > 0)
    })
  }

  t.test('A room\'s last event is delivered even if its message is lost', async (t) => {
    let span: Span = { from: 0, to: 0 }
    const outcome = await play(cluster, { name: 'last', seed: SEED }, async (stage) => { span = await dropLastPublish(cluster, stage, a) })
    judge(t, outcome)
    t.comment(`delivered after ${span.to - span.from} ms`)
    t.strictSame(outcome.figures.closed, {})
  })
})
