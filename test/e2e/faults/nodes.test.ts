// Faults of a node, of its scripts and of its connections, under load on two nodes: nothing is lost, and no loss is declared.
import t from 'tap'
import { withoutRedis } from '../../redis.js'
import { startNodes } from './cluster.js'
import { cutAnswers, flushScripts, killNode, killSubscribers, outrunLog, stopNode } from './faults.js'
import { judge, SEED } from './judge.js'
import { play } from './scenario.js'

const LOG_SIZE = 100

t.test('Faults of a node', { skip: withoutRedis }, async (t) => {
  const cluster = await startNodes(t, [], { ROOM_LOG_SIZE: String(LOG_SIZE) })
  const [a, b] = cluster.nodes

  t.test('Load without any fault', async (t) => {
    const outcome = await play(cluster, { name: 'quiet', seed: SEED }, async () => {})
    judge(t, outcome)
    t.strictSame(outcome.figures.closed, {})
  })

  t.test('A node killed by kill -9 loses no event', async (t) => {
    const outcome = await play(cluster, { name: 'kill', seed: SEED }, (stage) => killNode(cluster, stage, a))
    judge(t, outcome)
    t.ok(outcome.figures.closed[1006]! > 0)
  })

  t.test('On SIGTERM clients are asked to reconnect, and the node exits with 0', async (t) => {
    const outcome = await play(cluster, { name: 'term', seed: SEED }, (stage) => stopNode(cluster, stage, b))
    judge(t, outcome)
    t.strictSame(Object.keys(outcome.figures.closed), ['1012'])
  })

  t.test('SCRIPT FLUSH has no effect on publishers', async (t) => {
    const outcome = await play(cluster, { name: 'scripts', seed: SEED }, (stage) => flushScripts(cluster, stage, a))
    judge(t, outcome)
    t.equal(outcome.figures.unavailable, 0, 'no publish is refused')
  })

  t.test('Killed connections of the subscribers close no client', async (t) => {
    const outcome = await play(cluster, { name: 'subscribers', seed: SEED }, (stage) => killSubscribers(cluster, stage, a))
    judge(t, outcome)
    t.strictSame(outcome.figures.closed, {}, 'no client is closed')
  })

  t.test('Publishes that are cut before their answer are retried, and logged once', async (t) => {
    const outcome = await play(cluster, { name: 'cut', seed: SEED }, (stage) => cutAnswers(cluster, stage, a))
    judge(t, outcome)
    // A node sends one batch at a time, so not every event got as far as Redis.
    const known = outcome.lines.filter((line) => line.what === 'acked' && line.duplicate).length
    t.ok(known > 1, `${known} of them were in the log already, and are there once`)
  })

  t.test('The loss is declared to a watcher that misses a burst larger than the log', async (t) => {
    const outcome = await play(cluster, { name: 'burst', seed: SEED, rooms: 6, rate: 30 }, (stage) => outrunLog(LOG_SIZE + 50)(cluster, stage, a))
    judge(t, outcome, { mayLose: true })
    t.equal(outcome.figures.declared, 1, 'the loss is declared to the absent watcher')
    t.ok(outcome.figures.lost >= 50)
  })
})
