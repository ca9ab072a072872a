// Outages of Redis and failovers to another server: answers of the nodes meanwhile, and their recovery.
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Published } from '../../../src/broker/broker.js'
import { CHECK_INTERVAL } from '../../../src/broker/redis/room-sync.js'
import { BEAT_INTERVAL } from '../../../src/broker/redis/nodes.js'
import { Failure } from '../../../src/errors.js'
import { startCluster, startRedis, startSentinel, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { member, startNode, startPair } from './node.js'

t.test('nodes recover on one unstable Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const pair = (t: Test) => startPair(t, redis.url, { mayFail: true })

  t.test('scripts that Redis forgot are loaded again', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await a.publish(1)
    await redis.client.script('FLUSH')
    const results = await Promise.all([2, 3, 4, 5].map((n) => a.publish(n)))
    t.strictSame(results.map((result) => (result as Published).seq), [2, 3, 4, 5], 'in order')
    await until('all events arrived', () => b.heard.events.length === 5)
  })

  t.test('a subscriber that was cut off subscribes again and receives the missed events', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await a.publish(1)
    await until('the first event arrived', () => b.heard.events.length === 1)
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await a.publish(2)
    await until('the missed event arrived', () => b.heard.events.length === 2)
    await a.publish(3)
    await until('the live event arrived', () => b.heard.events.length === 3)
    t.strictSame(b.heard.lost, [])
    t.strictSame(b.news.slice(0, 3).map(({ what }) => what), ['up', 'down', 'up'])
  })

  t.test('the next heartbeat detects a subscriber whose packets vanish, and the subscriber reconnects', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    const subscriber = b.connection.subscriber as Redis
    // Packets no longer arrive, and the connection reports no error.
    subscriber.stream.pause()
    await a.publish(1)
    await b.pass(BEAT_INTERVAL)
    t.strictSame(b.heard.events, [])
    await until('the missed event arrived', () => b.heard.events.length === 1)
    await a.publish(2)
    await until('the live event arrived', () => b.heard.events.length === 2)
    t.strictSame(b.news.map(({ what }) => what), ['up', 'down', 'up'])
    t.strictSame(b.heard.lost, [])
  })

  t.test('an event is refused with the reason when Redis is out of memory', async (t) => {
    const [a] = await pair(t)
    await a.publish(1)
    await redis.client.config('SET', 'maxmemory', '1mb')
    t.teardown(() => redis.client.config('SET', 'maxmemory', '0'))
    t.match(await a.publish(2), { code: 'UNAVAILABLE' })
    t.match(await a.broker.createRoom('new'), { code: 'UNAVAILABLE' })
    for (let n = 0; n < 2; n++) await a.broker.tick()
    t.match(a.news, [{ what: 'up' }, { what: 'down', trouble: { code: 'OOM' } }])
    t.equal(a.broker.ready(), false)
    await redis.client.config('SET', 'maxmemory', '0')
    t.match(await a.publish(3), { seq: 2 })
    t.match(await a.broker.read('r', { seq: 0 }), { entries: { length: 2 } })
  })
})

t.test('two nodes recover after Redis stops and starts again', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const [a, b] = await startPair(t, redis.url, { mayFail: true })
  await b.broker.subscribe('r')
  await a.broker.subscribe('r')
  const { epoch } = await a.publish(1) as Published
  await until('the event arrived', () => b.heard.events.length === 1)

  await redis.kill()
  for (const answer of [a.publish(2), a.broker.read('r'), a.broker.createRoom('x'), a.broker.subscribe('y'), a.broker.closeRoom('r'), a.broker.listRooms({ limit: 5 })]) {
    t.match(await answer, { code: 'UNAVAILABLE' })
  }
  await until('the nodes are not ready', () => !a.broker.ready())
  await a.broker.announce('r', [member('a1')], [])
  await a.broker.tick()
  await redis.start()
  await until('both nodes are ready again', () => a.broker.ready() && b.broker.ready())
  t.match(await a.broker.read('r', { seq: 0 }), { entries: { length: 1 } }, 'the log was on disk')
  const next = await a.publish(3) as Published
  t.not(next.epoch, epoch, 'another run of Redis counts as another master: it may have lost the last second')
  await until('both nodes report the position as lost', () => a.heard.lost.length === 1 && b.heard.lost.length === 1)
  await a.broker.tick()
  await until('the members that were not announced during the outage are announced', () => b.heard.elsewhere.length > 0)

  process.kill(redis.pid, 'SIGSTOP')
  // Redis is resumed only after these answers: they do not wait for it.
  const unanswered = await Promise.all([a.publish(4, { id: 'x' }), b.publish(5)])
  t.match(unanswered, [{ code: 'UNAVAILABLE' }, { code: 'UNAVAILABLE' }])
  process.kill(redis.pid, 'SIGCONT')
  await until('both nodes are ready again', () => a.broker.ready() && b.broker.ready())
  const retried = await a.publish(4, { id: 'x' }) as Published
  await a.publish(6)
  await until('the next events arrived', () => b.heard.events.some(([, , n]) => n === 6))
  t.equal(b.heard.events.filter(([, , n]) => n === 4).length, 1, `one event, whether the first attempt was accepted (${retried.duplicate}) or not`)
})

t.test('a broker that starts without Redis becomes ready when Redis starts', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  await redis.kill()
  const starting = startNode(t, redis.url, { mayFail: true })
  await new Promise((resolve) => setTimeout(resolve, 300))
  await redis.start()
  const { publish } = await starting
  t.match(await publish(1), { seq: 1 })
})

t.test('two nodes over a cluster continue on the other shards after a master dies', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  const [a, b] = await startPair(t, url, { mayFail: true })
  const rooms = Array.from({ length: 30 }, (_, n) => `r${n}`)
  for (const roomId of rooms) await b.broker.subscribe(roomId)
  await Promise.all(rooms.map((roomId) => a.publish(1, { roomId })))
  await until('the events of all shards arrived', () => b.heard.events.length === 30)
  await Promise.all(servers.map(({ client }) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')))
  await Promise.all(rooms.map((roomId) => a.publish(2, { roomId })))
  await until('the events arrived after the subscribers were cut off', () => b.heard.events.length === 60)
  t.strictSame(b.heard.lost, [])
  // Without this setting Redis serves only a part of the slots.
  await Promise.all(servers.slice(1).map(({ client }) => client.config('SET', 'cluster-require-full-coverage', 'no')))
  await servers[0]!.kill()
  const results = await Promise.all(rooms.map((roomId) => a.publish(3, { roomId })))
  const refused = results.filter((result) => result instanceof Failure)
  t.ok(refused.length > 0 && refused.length < 30, `${refused.length} of 30 rooms are on the dead shard`)
  t.strictSame([...new Set(refused.map((result) => (result as Failure).code))], ['UNAVAILABLE'])
})

t.test('two nodes over a cluster follow a room that moves to another master, where it continues under another epoch', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  const [a, b] = await startPair(t, url, { mayFail: true })
  await b.broker.subscribe('r')
  const before = await a.publish(1) as Published
  await until('the event arrived', () => b.heard.events.length === 1)
  await moveSlotOf(a.key('r'), servers)
  // Both nodes follow the room by themselves; refused events are sent again with their id.
  let after = await a.publish(2, { id: 'x' })
  await until('the new master accepts the event', async () => !((after = await a.publish(2, { id: 'x' })) instanceof Failure))
  t.match(after, { seq: 2 })
  t.not((after as Published).epoch, before.epoch)
  await b.pass(CHECK_INTERVAL)
  await until('the subscribed node reports the position as lost', () => b.heard.lost.length === 1)
  t.match(await b.broker.read('r', { epoch: before.epoch, seq: 1 }), { recovered: false, entries: { length: 2 } }, 'the log is complete')
  await until('the live events arrived', async () => {
    await a.publish(3)
    return b.heard.events.length > 1
  })
})

/** Moves a room's slot from its master to another one, as `redis-cli --cluster reshard` does. */
async function moveSlotOf (key: string, servers: readonly RedisServer[]): Promise<void> {
  const slot = Number(await servers[0]!.client.call('CLUSTER', 'KEYSLOT', key))
  const n = Math.floor(slot / (16_384 / servers.length))
  const [from, to] = [servers[n]!, servers[(n + 1) % servers.length]!]
  const [fromId, toId] = await Promise.all([from, to].map(({ client }) => client.call('CLUSTER', 'MYID'))) as [string, string]
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  const keys = await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 100) as string[]
  await from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
  for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
}

t.test('two nodes over Sentinel follow to the promoted replica after the master dies', { skip: withoutRedis }, async (t) => {
  const { master, replica, url } = await startSentinel(t)
  const [a, b] = await startPair(t, url, { mayFail: true })
  await b.broker.subscribe('r')
  const before = await a.publish(1, { id: 'x' }) as Published
  await until('the event arrived', () => b.heard.events.length === 1)
  // WAIT would look at the writes of its own connection alone.
  await until('the replica has the event', async () => await replica.client.hget(a.key('r'), 'seq') === '1')
  await master.kill()
  t.match(await a.publish(2, { id: 'y' }), { code: 'UNAVAILABLE' })
  await until('both nodes are down', () => !a.broker.ready() && !b.broker.ready())
  await until('both nodes are ready again', () => a.broker.ready() && b.broker.ready(), 30_000)
  const after = await a.publish(2, { id: 'y' }) as Published
  t.match(after, { seq: 2, duplicate: false })
  t.not(after.epoch, before.epoch)
  t.match(await a.publish(1, { id: 'x' }), { seq: 1, duplicate: true }, 'the entries of the replica are still known')
  await until('the subscribed node reports the position as lost', () => b.heard.lost.length === 1)
  t.match(await b.broker.read('r', { epoch: before.epoch, seq: 1 }), { recovered: false, entries: { length: 2 } })
})
