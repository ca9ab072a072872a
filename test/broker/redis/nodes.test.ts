// Several nodes over one Redis: one order for all, no silent loss, and the members on each node.
import t, { type Test } from 'tap'
import type { Published } from '../../../src/broker/broker.js'
import { CHECK_INTERVAL } from '../../../src/broker/redis/room-sync.js'
import { Failure } from '../../../src/errors.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { LOG_SIZE, RETENTION } from '../contract.js'
import { member, startPair, type NodeOptions } from './node.js'

t.test('two nodes share rooms over one Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const pair = (t: Test, options?: NodeOptions) => startPair(t, redis.url, options)

  t.test('both nodes receive every event once and in log order, from either publisher', async (t) => {
    const [a, b] = await pair(t)
    await Promise.all([a.broker.subscribe('r'), b.broker.subscribe('r')])
    const results = await Promise.all(Array.from({ length: 200 }, (_, n) => (n % 2 ? a : b).publish(n)))
    await until('all events arrived', () => a.heard.events.length === 200 && b.heard.events.length === 200)
    t.strictSame(a.heard.events, b.heard.events)
    t.strictSame(a.heard.events.map(([, seq]) => seq), Array.from({ length: 200 }, (_, i) => i + 1))
    for (const [n, result] of results.entries()) t.strictSame(a.heard.events[(result as Published).seq - 1], ['r', (result as Published).seq, n])
  })

  t.test('an event published during a subscribe arrives live or is in the log that the node reads', async (t) => {
    const [a, b] = await pair(t)
    for (let round = 0; round < 20; round++) {
      const roomId = `r${round}`
      const publishing = Promise.all([1, 2, 3].map((n) => a.publish(n, { roomId })))
      await b.broker.subscribe(roomId)
      const view = await b.broker.read(roomId, { seq: 0 })
      if (view instanceof Failure) throw new Error(view.code)
      await publishing
      await until('the remaining events arrived', () => {
        const heard = b.heard.events.filter(([room]) => room === roomId).map(([, seq]) => seq)
        return new Set([...view.entries.map(({ seq }) => seq), ...heard]).size === 3
      })
    }
    t.strictSame(b.heard.lost, [])
  })

  t.test('the next event reveals an event that the channel lost', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await a.publish(1)
    await until('the first event arrived', () => b.heard.events.length === 1)
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.publish(2)
    await b.connection.subscriber.ssubscribe(b.channel)
    await a.publish(3)
    await until('all events arrived', () => b.heard.events.length === 3)
    t.strictSame(b.heard.events.map(([, seq, n]) => [seq, n]), [[1, 1], [2, 2], [3, 3]])
  })

  t.test('the periodic check finds the last event of a room when the channel lost it', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.publish('paid')
    await b.pass(CHECK_INTERVAL - 1)
    t.strictSame(b.heard.events, [])
    await b.pass(1)
    t.strictSame(b.heard.events, [['r', 1, 'paid']])
    await b.pass(CHECK_INTERVAL)
    t.equal(b.heard.events.length, 1)
  })

  t.test('the next tick fetches a lost event that precedes the node\'s own event', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.publish(1)
    await b.publish(2)
    t.strictSame(b.heard.events, [], 'not out of order')
    await b.broker.tick()
    t.strictSame(b.heard.events.map(([, seq, n]) => [seq, n]), [[1, 1], [2, 2]])
  })

  t.test('events that were lost and trimmed from the log report the position as lost, once', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await b.connection.subscriber.sunsubscribe(b.channel)
    for (let n = 0; n <= LOG_SIZE; n++) await a.publish(n)
    await b.pass(CHECK_INTERVAL)
    t.strictSame(b.heard.lost, ['r'])
    t.strictSame(b.heard.events, [])
    await b.connection.subscriber.ssubscribe(b.channel)
    await a.publish('on')
    await until('the next event arrives', () => b.heard.events.length === 1)
    t.strictSame(b.heard.events, [['r', LOG_SIZE + 2, 'on']])
    t.strictSame(b.heard.lost, ['r'])
  })

  t.test('another master begins another epoch: old positions are not recovered, and subscribed nodes report the loss', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    const { epoch } = await a.publish(1) as Published
    await a.publish(2)
    await until('both events arrived', () => b.heard.events.length === 2)
    // State after a failover to a replica that lacks the second event.
    await redis.client.hset(a.key('r'), 'fence', 'another', 'seq', 1)
    await redis.client.rpop(`${a.key('r')}:log`)
    const next = await a.publish('other') as Published
    t.equal(next.seq, 2, 'the number is assigned again')
    t.not(next.epoch, epoch)
    await until('the subscribed node reports the position as lost', () => b.heard.lost.length === 1)
    t.strictSame(b.heard.events.length, 2, 'the event is not delivered as a successor')
    const view = await a.broker.read('r', { epoch, seq: 1 })
    t.match(view, { recovered: false, epoch: next.epoch, seq: 2, entries: { length: 2 } })
  })

  t.test('a read after a failover begins a new epoch before any event is published', async (t) => {
    const [a] = await pair(t)
    const { epoch } = await a.publish(1) as Published
    await redis.client.hset(a.key('r'), 'fence', 'another')
    t.match(await a.broker.read('r', { epoch, seq: 1 }), { recovered: false, entries: { length: 1 } })
  })

  t.test('rooms that Redis lost begin a new epoch, and their subscribed nodes report the loss', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await b.broker.subscribe('quiet')
    const { epoch } = await a.publish(1) as Published
    await until('the event arrived', () => b.heard.events.length === 1)
    await redis.client.del(a.key('r'), `${a.key('r')}:log`, a.key('quiet'))
    await b.pass(CHECK_INTERVAL)
    t.strictSame(b.heard.lost.sort(), ['quiet', 'r'])
    const next = await a.publish(2) as Published
    t.equal(next.seq, 1)
    t.not(next.epoch, epoch)
    await until('the next event arrived', () => b.heard.events.length === 2)
  })

  t.test('a burst after a gap, a read of a lost room, and a list page of lost rooms give consistent results', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.publish(1)
    await b.connection.subscriber.ssubscribe(b.channel)
    await Promise.all([2, 3, 4, 5].map((n) => a.publish(n)))
    await until('all events arrived', () => b.heard.events.length === 5)
    t.strictSame(b.heard.events.map(([, seq]) => seq), [1, 2, 3, 4, 5])

    await redis.client.del(a.key('r'), `${a.key('r')}:log`)
    t.match(await b.broker.read('r'), { code: 'UNAVAILABLE' })
    t.strictSame(b.heard.lost, ['r'])
    t.match(await b.broker.read('r'), { seq: 0 })

    for (const roomId of ['x1', 'x2', 'x3', 'x4']) await a.broker.createRoom(roomId)
    await redis.client.del(...['r', 'x1', 'x2', 'x3'].map((roomId) => a.key(roomId)))
    t.match(await a.broker.listRooms({ limit: 2 }), { rooms: [{ roomId: 'x4' }] })
  })

  t.test('a room that is closed on one node is closed on all, even if the message is lost', async (t) => {
    const [a, b] = await pair(t)
    for (const roomId of ['heard', 'missed']) {
      await a.broker.subscribe(roomId)
      await b.broker.subscribe(roomId)
    }
    await a.broker.closeRoom('heard')
    await until('the other node receives the close', () => b.heard.closed.length === 1)
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.broker.closeRoom('missed')
    t.strictSame(a.heard.closed, [['heard', 'closed'], ['missed', 'closed']])
    await b.pass(CHECK_INTERVAL)
    t.strictSame(b.heard.closed, [['heard', 'closed'], ['missed', 'closed']])
    t.match(await b.publish(1, { roomId: 'heard' }), { code: 'ROOM_CLOSED' })
  })

  t.test('a room is in the list of every node until it is closed or gone', async (t) => {
    const [a, b] = await pair(t)
    await a.broker.createRoom('x')
    await b.publish(1, { roomId: 'y' })
    await a.broker.createRoom('z', { ttl: 1000 })
    await a.broker.createRoom('w')
    const listed = async () => ((await b.broker.listRooms({ limit: 10 })) as { rooms: Array<{ roomId: string }> }).rooms.map(({ roomId }) => roomId)
    t.strictSame(await listed(), ['x', 'y', 'z', 'w'])
    await a.broker.closeRoom('w')
    b.clock.time += 2000
    t.strictSame(await listed(), ['x', 'y', 'z'], 'a room whose link has expired takes late results')
    await redis.client.del(a.key('x'))
    await redis.client.del(`${a.prefix}:{@rooms}:sweeper`)
    await b.pass(RETENTION / 4)
    t.strictSame(await redis.client.zrange(`${a.prefix}:{@rooms}`, 0, '-1'), ['y', 'z'], 'the sweep removed the room from the index')
  })

  t.test('a room that is occupied on one node lives on after another node has left it', async (t) => {
    const [a, b] = await pair(t)
    await a.broker.subscribe('r')
    await b.broker.subscribe('r')
    await b.broker.unsubscribe('r')
    for (let i = 0; i < 12; i++) {
      await a.pass(RETENTION / 4)
      b.clock.time = a.clock.time
    }
    t.match(await b.broker.read('r'), { seq: 0, expiresAt: Number })
    await a.broker.unsubscribe('r')
    b.clock.time += RETENTION
    t.match(await b.broker.read('r'), { code: 'ROOM_NOT_FOUND' })
  })

  t.test('remote members are announced to the other nodes, counted as receivers, and returned to later subscribers', async (t) => {
    const [a, b] = await pair(t)
    await a.broker.subscribe('r')
    await b.broker.subscribe('r')
    await a.broker.announce('r', [member('a1'), member('a2')], [])
    await until('the other node received the members', () => b.heard.elsewhere.length > 0)
    t.strictSame(b.heard.elsewhere.at(-1), ['r', [member('a1'), member('a2')]])
    await b.broker.announce('r', [member('b1')], [member('b2')])
    t.equal((await a.publish(1, { origin: 'a1' }) as Published).receivers, 2, 'all except the sender, without members that left')
    t.equal((await b.publish(2) as Published).receivers, 3, 'a backend is no member')
    t.match(await a.broker.read('r'), { remoteMembers: [member('b1'), member('b2')] })
    await until('the first node received the members too', () => a.heard.elsewhere.length > 0)

    await a.broker.announce('r', [], [])
    await until('the members are gone', () => b.heard.elsewhere.at(-1)![1].length === 0)
    t.match(await b.broker.read('r'), { remoteMembers: [] })
    t.equal(await redis.client.hexists(`${a.key('r')}:members`, a.node), 0)
    await a.broker.unsubscribe('r')
    await a.broker.subscribe('r')
    t.strictSame(a.heard.elsewhere.at(-1), ['r', [member('b1'), member('b2')]], 'a later subscriber receives the members')
  })

  t.test('the members of a dead node are gone within a minute, and not before the node is dead', async (t) => {
    const [a, b] = await pair(t, { mayFail: true })
    await a.broker.subscribe('r')
    await b.broker.subscribe('r')
    await a.broker.announce('r', [member('a1')], [])
    await until('the other node received the members', () => b.heard.elsewhere.length > 0)
    for (let i = 0; i < 12; i++) await b.pass(5000)
    t.match(await b.broker.read('r'), { remoteMembers: [member('a1')] }, 'the node lives: its heartbeat is fresh by the clock of Redis')
    // Death of the node: its heartbeats stop and the last one expires.
    a.connection.close()
    await redis.client.zrem(`${a.prefix}:{@nodes}`, a.node)
    for (let i = 0; i < 8; i++) await b.pass(5000)
    t.strictSame(b.heard.elsewhere.at(-1), ['r', []])
    t.match(await b.broker.read('r'), { remoteMembers: [] })
    t.equal((await b.publish(1) as Published).receivers, 0)
    t.equal(b.died(), 1)
  })

  t.test('a node that leaves has not died', async (t) => {
    const [a, b] = await pair(t)
    await a.broker.close()
    for (let i = 0; i < 8; i++) await b.pass(5000)
    t.equal(b.died(), 0)
  })
})
