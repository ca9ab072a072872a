// Faults of Redis under load on two nodes: a loss in Redis is declared, and a refused event was never acknowledged.
import t from 'tap'
import { withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { ANSWERED, answersBetween } from './answers.js'
import { RECOVERY, startNodes } from './cluster.js'
import { emptyRedis, exhaustMemory, flushAll, restartRedis, type Span } from './faults.js'
import { judge, SEED } from './judge.js'
import { Proxy } from './proxy.js'
import { play } from './scenario.js'

t.test('Faults of Redis', { skip: withoutRedis }, async (t) => {
  // Setting with which a replica gets its first copy at once, and not after 5 s.
  const cluster = await startNodes(t, ['--appendonly', 'yes', '--appendfsync', 'everysec', '--repl-diskless-sync-delay', '0'])
  const { nodes, redis } = cluster
  const [a] = nodes

  t.test('Redis out of memory: UNAVAILABLE, nothing acknowledged, and back with the memory', async (t) => {
    let span: Span = { from: 0, to: 0 }
    const outcome = await play(cluster, { name: 'memory', seed: SEED }, async (stage) => { span = await exhaustMemory(cluster, stage, a) })
    judge(t, outcome)
    const { slowest, acknowledged, backAfter } = answersBetween(outcome.lines, span.from, span.to)
    t.comment(`the slowest answer after ${slowest} ms; all clients back after ${backAfter} ms`)
    t.ok(outcome.figures.unavailable > 0)
    t.ok(slowest <= ANSWERED, `answered within 2 s (${slowest} ms)`)
    t.equal(acknowledged, 0)
  })

  t.test('Redis killed and restarted with its append-only file gives up the positions, but loses no event', async (t) => {
    // Syncing once a second would delay writes on a busy disk: that much may be lost, which this test does not examine.
    await cluster.redis.client.config('SET', 'appendfsync', 'always')
    const outcome = await play(cluster, { name: 'file', seed: SEED }, (stage) => restartRedis(cluster, stage, a))
    // A master that restarted cannot prove that it has everything, so the positions are given up even if it has.
    judge(t, outcome, { mayLose: true })
    t.match(outcome.figures, { lost: 0, forgotten: 0 }, 'nothing was lost')
  })

  t.test('The loss of a Redis restarted empty is declared', async (t) => {
    judge(t, await play(cluster, { name: 'empty', seed: SEED }, (stage) => emptyRedis(cluster, stage, a)), { mayLose: true })
  })

  t.test('The loss by FLUSHALL is declared', async (t) => {
    judge(t, await play(cluster, { name: 'flush', seed: SEED }, (stage) => flushAll(cluster, stage, a)), { mayLose: true })
  })

  t.test('The loss by a failover to a replica that lags is declared', async (t) => {
    const link = await Proxy.start(redis.port)
    t.teardown(() => link.close())
    const replica = await cluster.startRedis(['--replicaof', '127.0.0.1', String(link.port)])
    const isLinked = async () => /master_link_status:up/.test(await replica.client.info('replication'))
    await until('the replica follows', isLinked, RECOVERY)
    const outcome = await play(cluster, { name: 'failover', seed: SEED }, async ({ journal }) => {
      link.hold()
      journal.mark('from here the replica lacks everything')
      await new Promise((resolve) => setTimeout(resolve, 700))
      await redis.kill('SIGKILL')
      await replica.client.call('REPLICAOF', 'NO', 'ONE')
      for (const { proxy } of nodes) proxy.lead(replica.port)
    })
    judge(t, outcome, { mayLose: true })
    t.ok(outcome.figures.forgotten > 0, 'acknowledged events are lost, and the loss was declared')
  })
})
