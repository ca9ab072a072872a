// Events of one turn of the event loop in one call of the script: an error of one of them, a lost reply, and the size of a call.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { Cluster } from 'ioredis'
import t from 'tap'
import type { Published } from '../../../src/broker/broker.js'
import { Batcher, MAX_BATCH, type StepReply } from '../../../src/broker/redis/batcher.js'
import { Failure } from '../../../src/errors.js'
import { Proxy } from '../../e2e/faults/proxy.js'
import { startCluster, startRedis, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { startNode, startPair } from './node.js'

/** A batcher, and the calls that it makes: each a list of the first event of every group. */
function recorded ({ isCluster = false } = {}) {
  const calls: Array<{ keys: string[], events: unknown[], answer: (replies: StepReply[] | Failure) => void }> = []
  const batcher = new Batcher({
    isCluster,
    keysOf: (roomId) => [roomId, `${roomId}:log`],
    sharedArguments: () => ['shared'],
    call: (keys, args) => new Promise((resolve) => {
      const [, ...rest] = args
      const events = []
      for (let at = 0; at < rest.length; at += 2 + Number(rest[at + 1])) events.push([keys[Number(rest[at]) - 1], rest.slice(at + 2, at + 2 + Number(rest[at + 1]))])
      calls.push({ keys: [...keys], events, answer: resolve })
    })
  })
  return { batcher, calls }
}

t.test('events of one turn are one call, with the keys of each room once, and every caller gets its own replies', async (t) => {
  const { batcher, calls } = recorded()
  const answers = [batcher.run('a', [['1', 'x']]), batcher.run('b', [['2'], ['3']]), batcher.run('a', [['4']])]
  t.equal(calls.length, 0)
  await turn()
  t.match(calls, [{
    keys: ['a', 'a:log', 'b', 'b:log'],
    events: [['a', ['1', 'x']], ['b', ['2']], ['b', ['3']], ['a', ['4']]]
  }])
  void batcher.run('c', [['5']])
  await turn()
  t.equal(calls.length, 2, 'the next call does not wait for the reply to the first one')
  calls[0]!.answer([['r1'], ['r2'], ['r3'], ['r4']])
  t.strictSame(await Promise.all(answers), [[['r1']], [['r2'], ['r3']], [['r4']]])
})

t.test('a call has a bounded number of events, and a larger group is not divided', async (t) => {
  const { batcher, calls } = recorded()
  for (let n = 0; n < MAX_BATCH + 1; n++) void batcher.run(`r${n}`, [[n]])
  void batcher.run('large', Array.from({ length: MAX_BATCH * 2 }, (_, n) => [n]))
  await turn()
  t.strictSame(calls.map(({ events }) => events.length), [MAX_BATCH, 1, MAX_BATCH * 2])
})

t.test('in a cluster a call is of one room', async (t) => {
  const { batcher, calls } = recorded({ isCluster: true })
  for (const [n, roomId] of ['a', 'b', 'a', 'c'].entries()) void batcher.run(roomId, [[n]])
  await turn()
  t.match(calls, [{ keys: ['a', 'a:log'], events: { length: 2 } }, { keys: ['b', 'b:log'], events: { length: 1 } }, { keys: ['c', 'c:log'], events: { length: 1 } }])
})

t.test('all events of a call that fails have its failure', async (t) => {
  const { batcher, calls } = recorded()
  const answers = [batcher.run('a', [['1']]), batcher.run('b', [['2'], ['3']])]
  await turn()
  const failure = new Failure('UNAVAILABLE')
  calls[0]!.answer(failure)
  t.strictSame(await Promise.all(answers), [failure, failure])
})

t.test('events over Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const callsOf = async ({ client }: RedisServer) => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)

  t.test('events of many rooms in one turn are one call of Redis, each with its own outcome', async (t) => {
    const [a, b] = await startPair(t, redis.url)
    await b.broker.subscribe('r7')
    await a.publish(0, { roomId: 'r3', id: 'x' })
    await a.broker.closeRoom('r3')
    const before = await callsOf(redis)
    const published = await Promise.all(Array.from({ length: 40 }, (_, n) => a.publish(n, { roomId: `r${n % 20}`, id: `e${n}` })))
    const outcomes = published.map((one) => one instanceof Failure ? one.code : one.seq)
    t.strictSame(outcomes, Array.from({ length: 40 }, (_, n) => n % 20 === 3 ? 'ROOM_CLOSED' : n < 20 ? 1 : 2))
    await until('both events of a room arrived', () => b.heard.events.length === 2)
    t.strictSame(b.heard.events, [['r7', 1, 7], ['r7', 2, 27]])
    // The other calls are those of new rooms: their index, their furthest step, and when they are due.
    t.ok(await callsOf(redis) - before < 40 + 3 * 20, 'fewer calls than events')
  })

  t.test('an error of the script costs one answer', async (t) => {
    const { publish, key, news, broker } = await startNode(t, redis.url, { mayFail: true })
    await publish(0, { roomId: 'before' })
    await redis.client.set(key('broken'), 'another type of key')
    const rooms = ['before', 'broken', 'behind', 'before', 'broken']
    const answers = await Promise.all(rooms.map((roomId, n) => publish(n, { roomId })))
    t.match(answers, [{ seq: 2 }, { code: 'UNAVAILABLE' }, { seq: 1 }, { seq: 3 }, { code: 'UNAVAILABLE' }])
    t.match(news, [{ what: 'up' }, { what: 'refused', trouble: { code: 'WRONGTYPE' } }])
    t.ok(broker.ready())
    t.match(await broker.read('before', { seq: 0 }), { seq: 3, entries: { length: 3 } })
  })

  t.test('after the reply to a full batch is lost, no event is missing and none is logged twice', async (t) => {
    const proxy = await Proxy.start(redis.port)
    t.teardown(() => proxy.close())
    const a = await startNode(t, `redis://127.0.0.1:${proxy.port}`, { mayFail: true })
    const b = await startNode(t, redis.url, { prefix: a.prefix })
    await a.broker.subscribe('r')
    await b.broker.subscribe('r')
    await a.publish('first')
    await until('the nodes hear each other', () => a.heard.events.length === 1 && b.heard.events.length === 1)
    proxy.mute('commands')
    const rooms = Array.from({ length: MAX_BATCH }, (_, n) => n % 16 === 0 ? 'r' : `r${n}`)
    const publishAll = () => Promise.all(rooms.map((roomId, n) => a.publish(n, { roomId, id: `e${n}` })))
    const unanswered = publishAll()
    await until('Redis has executed the call', async () => Number(await redis.client.hget(a.key('r'), 'seq')) === 1 + MAX_BATCH / 16)
    proxy.cut()
    t.ok((await unanswered).every((answer) => answer instanceof Failure && answer.code === 'UNAVAILABLE'))
    proxy.mute(undefined)
    await until('the node is back', async () => {
      await a.pass(1_000)
      return a.broker.ready()
    })
    const repeated = await publishAll() as Published[]
    t.ok(repeated.every(({ duplicate }) => duplicate))
    const expected = ['first', ...rooms.flatMap((roomId, n) => roomId === 'r' ? [n] : [])]
    for (const node of [a, b]) {
      await until('all events are delivered', () => node.heard.events.length === expected.length)
      t.strictSame(node.heard.events.map(([, seq, n]) => [seq, n]), expected.map((n, i) => [i + 1, n]))
      t.strictSame(node.heard.lost, [])
    }
  })

  t.test('a replica refuses the whole call, so that the client leaves it', async (t) => {
    const server = await startRedis(t)
    const node = await startNode(t, server.url, { mayFail: true })
    await node.publish(1)
    const left = once(node.connection.commands, 'close')
    await server.client.replicaof('127.0.0.1', 1)
    t.match(await Promise.all([2, 3].map((n) => node.publish(n))), [{ code: 'UNAVAILABLE' }, { code: 'UNAVAILABLE' }])
    await left
    t.pass('the client looks for the master again')
  })
})

t.test('in a cluster an event whose answer is lost is not sent a second time', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  const [a, b] = await startPair(t, url, { mayFail: true })
  await b.broker.subscribe('r')
  await a.publish('first')
  const seqs = async () => (await Promise.all(servers.map(({ client }) => client.call('HGET', a.key('r'), 'seq').catch(() => null)))).filter(Boolean)
  const cluster = a.connection.commands as Cluster
  const shards = cluster.nodes('master')
  // A pipeline that is under way would hold up the next one.
  await until('all commands are answered', () => cluster.autoPipelineQueueSize === 0 && shards.every(({ commandQueue }) => commandQueue.length === 0))
  for (const { stream } of shards) stream.pause()
  // Without an id: a repetition would be another event.
  const answer = a.publish('unanswered')
  await until('Redis has executed the call', async () => (await seqs())[0] === '2')
  for (const { stream } of shards) stream.destroy()
  t.match(await answer, { code: 'UNAVAILABLE' })
  await until('the node is back', async () => {
    await a.pass(1_000)
    return a.broker.ready() && 'seq' in await a.publish('last')
  })
  await until('the other node has the last event', () => b.heard.events.some(([, , n]) => n === 'last'))
  t.equal(b.heard.events.filter(([, , n]) => n === 'unanswered').length, 1)
})

t.test('in a cluster the events of a turn reach the shards of their rooms', { skip: withoutRedis }, async (t) => {
  const { url } = await startCluster(t)
  const [a, b] = await startPair(t, url)
  const rooms = Array.from({ length: 30 }, (_, n) => `r${n % 10}`)
  for (const roomId of new Set(rooms)) await b.broker.subscribe(roomId)
  const published = await Promise.all(rooms.map((roomId, n) => a.publish(n, { roomId }))) as Published[]
  t.strictSame(published.map(({ seq }) => seq), rooms.map((_, n) => Math.floor(n / 10) + 1))
  await until('all events arrived', () => b.heard.events.length === 30)
})
