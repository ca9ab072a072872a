// Joining a room over Redis: one step opens the room, registers the node and reads the room, together with the other steps of a turn.
import t from 'tap'
import type { RoomView } from '../../../src/broker/broker.js'
import { expiryDraft } from '../../../src/broker/event-draft.js'
import { Failure } from '../../../src/errors.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { member, startNode, startPair } from './node.js'

t.test('joining a room over Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)

  t.test('the view of the first member is the room at the start of the subscription: while batches are under way, no event is missing between it and the live ones', async (t) => {
    const [a, b] = await startPair(t, redis.url)
    for (let round = 0; round < 30; round++) {
      const roomId = `r${round}`
      await a.broker.subscribe(roomId)
      const publishing = Promise.all([1, 2, 3].map(async (n) => {
        if (n > round % 3) await new Promise<void>((resolve) => { setImmediate(resolve) })
        await Promise.all([a.publish(n, { roomId }), a.publish(n, { roomId: 'other' }), b.publish(n + 10, { roomId })])
      }))
      if (round % 2) await new Promise<void>((resolve) => { setImmediate(resolve) })
      const view = await b.broker.subscribeAndRead(roomId, true) as RoomView
      t.strictSame(view.entries, [])
      await publishing
      await until('the remaining events arrive without a tick', () => b.heard.events.filter(([room, seq]) => room === roomId && seq > view.seq).length === 6 - view.seq)
    }
    t.strictSame([...a.heard.lost, ...b.heard.lost], [])
  })

  t.test('it has the state of the payment, and the members of other nodes', async (t) => {
    const [a, b] = await startPair(t, redis.url)
    await a.broker.subscribe('r')
    await a.broker.announce('r', [member('a1')], [member('a2')])
    await a.publish(1)
    const view = await b.broker.subscribeAndRead('r', false) as RoomView
    const { recovered, ...summary } = await b.broker.read('r') as RoomView
    t.match(view, { ...summary, seq: 1, state: { step: 'CLICKED_PAY' }, remoteMembers: [member('a1'), member('a2')] })
    t.equal(await b.broker.subscribeAndRead('r', false), undefined, 'a room that is subscribed is read by itself')
  })

  t.test('a room that does not exist, or is closed, is not joined', async (t) => {
    const { broker, publish, heard } = await startNode(t, redis.url)
    t.match(await broker.subscribeAndRead('r', false), { code: 'ROOM_NOT_FOUND' })
    await publish(1)
    t.strictSame(heard.events, [])
    await broker.closeRoom('r')
    t.match(await broker.subscribeAndRead('r', true), { code: 'ROOM_CLOSED' })
  })

  t.test('a deadline that has passed unnoticed is logged before the room is shown', async (t) => {
    const { broker, clock } = await startNode(t, redis.url)
    await broker.createRoom('r', { ttl: 1_000 })
    clock.time += 1_001
    t.equal(await broker.subscribeAndRead('r', false), undefined, 'a read is to do that')
    t.match(await broker.read('r', { seq: 0 }), { seq: 1, entries: { length: 1 } })
    t.match(await broker.publish('r', expiryDraft('r', 1), false), new Failure('UNAVAILABLE'), 'another deadline')
  })

  t.test('the joins of a turn are one call of Redis, in the order in which they were asked for', async (t) => {
    const [a, b] = await startPair(t, redis.url)
    const rooms = Array.from({ length: 20 }, (_, n) => `r${n}`)
    for (const roomId of rooms) await a.broker.subscribe(roomId)
    const before = b.scriptCalls()
    const joined = await Promise.all(rooms.flatMap((roomId) => [b.broker.subscribeAndRead(roomId, true), b.broker.announce(roomId, [member('b1')], []), b.broker.read(roomId)]))
    t.equal(b.scriptCalls() - before, 1)
    t.ok(joined.every((result) => !(result instanceof Failure)))
    t.equal(await redis.client.hget(a.key('r7'), 'here'), ` ${a.node}=0 ${b.node}=1 `)
    await Promise.all(rooms.map((roomId) => b.broker.unsubscribe(roomId)))
    t.equal(b.scriptCalls() - before, 2)
    t.equal(await redis.client.hget(a.key('r7'), 'here'), ` ${a.node}=0 `)
  })

  t.test('an error in one room costs the joins of others nothing', async (t) => {
    const { broker, key, news } = await startNode(t, redis.url, { mayFail: true })
    await redis.client.set(key('broken'), 'another type of key')
    const [before, broken, after] = await Promise.all(['before', 'broken', 'after'].map((roomId) => broker.subscribeAndRead(roomId, true)))
    t.match([before, broken, after], [{ roomId: 'before' }, { code: 'UNAVAILABLE' }, { roomId: 'after' }])
    t.match(news, [{ what: 'up' }, { what: 'refused', trouble: { code: 'WRONGTYPE' } }])
    t.ok(broker.ready())
  })
})
