// One channel for each node: a room's messages go to the nodes that are registered in it, and a node delivers its own events by their answers.
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Published } from '../../../src/broker/broker.js'
import { RoomCursor, MAX_HELD } from '../../../src/broker/redis/room-cursor.js'
import { CHECK_INTERVAL } from '../../../src/broker/redis/room-sync.js'
import { readNodeMessage } from '../../../src/broker/redis/messages.js'
import { Failure } from '../../../src/errors.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { RETENTION } from '../contract.js'
import { member, startNode, startPair, type NodeOptions } from './node.js'

t.test('a node\'s message holds messages of several rooms, with any bytes', async (t) => {
  const bodies: Array<[string, string]> = [['a', 'e1\ttext'], ['b.c', 'lines\nand\ttabs'], ['a', ''], ['d', 'ä €']]
  const bytes = Buffer.from(bodies.map(([roomId, body]) => `${roomId}\t${Buffer.byteLength(body)}\n${body}`).join(''))
  const read: Array<[string, string]> = []
  readNodeMessage(bytes, (roomId, message) => read.push([roomId, message.toString()]))
  t.strictSame(read, bodies)
})

t.test('a cursor holds a bounded number of entries, passes them on in order, and forgets them with its position', async (t) => {
  const cursor = new RoomCursor('r')
  const entry = (seq: number) => ({ epoch: 'e', seq, frame: Buffer.alloc(0) as never })
  cursor.begin({ epoch: 'e', seq: 0 })
  for (let seq = 2; seq < MAX_HELD + 10; seq++) cursor.hold(entry(seq))
  t.ok(cursor.hasGap)
  t.equal(cursor.takeHeld(), undefined)
  cursor.seq = 1
  for (let seq = 2; seq < MAX_HELD + 2; seq++) t.equal(cursor.takeHeld()?.seq, seq)
  t.equal(cursor.takeHeld(), undefined)
  t.ok(cursor.hasGap, 'the rest is read from the log')
  cursor.begin({ epoch: 'e', seq: 1 })
  cursor.hold(entry(3))
  cursor.begin({ epoch: 'f', seq: 2 })
  t.equal(cursor.takeHeld(), undefined)
  t.notOk(cursor.hasGap)
})

/** @returns tells if a message with an event has come to a node since the call, delivered or not */
function arrivalAt ({ connection }: Awaited<ReturnType<typeof startNode>>, n: string): () => boolean {
  let isThere = false
  connection.subscriber.on('smessageBuffer', (_channel: Buffer, message: Buffer) => { isThere ||= message.includes(JSON.stringify(n)) })
  return () => isThere
}

t.test('rooms over the channels of nodes', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const pair = (t: Test, options?: NodeOptions) => startPair(t, redis.url, options)
  const hereOf = async (key: string) => await redis.client.hget(key, 'here')
  const numbers = ({ heard }: Awaited<ReturnType<typeof startNode>>) => heard.events.map(([, seq, n]) => [seq, n])
  const readsOf = async () => Number(/cmdstat_lrange:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0)

  t.test('a node has one channel, however many rooms it is in, and none of its own events come back', async (t) => {
    const [a, b] = await pair(t)
    for (let n = 0; n < 20; n++) await a.broker.subscribe(`r${n}`)
    t.strictSame((await redis.client.call('PUBSUB', 'SHARDCHANNELS', `${a.prefix}:*`) as string[]).sort(), [`${a.prefix}:db0:{@nodes}`, a.channel, b.channel].sort())
    const messages: string[] = []
    a.connection.subscriber.on('smessageBuffer', (_name: Buffer, message: Buffer) => messages.push(message.toString()))
    await a.publish(1, { roomId: 'r0' })
    await b.publish(2, { roomId: 'r0' })
    await until('both events are delivered', () => a.heard.events.length === 2)
    // Nodes tell each other of themselves, too.
    const events = messages.filter((message) => message.startsWith('r0'))
    t.equal(events.length, 1)
    t.match(events[0], /^r0\t\d+\ne.*"n":2/s)
  })

  t.test('a member that registers while batches are under way misses nothing', async (t) => {
    const [a, b] = await pair(t)
    for (let round = 0; round < 30; round++) {
      const roomId = `r${round}`
      await a.broker.subscribe(roomId)
      const publishing = Promise.all([1, 2, 3].map(async (n) => {
        await Promise.all([a.publish(n, { roomId }), a.publish(n, { roomId: 'other' })])
      }))
      await new Promise<void>((resolve) => { setImmediate(resolve) })
      await b.broker.subscribe(roomId)
      const view = await b.broker.read(roomId, { seq: 0 })
      if (view instanceof Failure) throw new Error(view.code)
      await publishing
      await until('the remaining events arrive without a tick', () => {
        const live = b.heard.events.filter(([room]) => room === roomId).map(([, seq]) => seq)
        return new Set([...view.entries.map(({ seq }) => seq), ...live]).size === 3
      })
    }
    t.strictSame(b.heard.lost, [])
  })

  t.test('an event of the node itself that is published while its own subscription is under way is delivered', async (t) => {
    const a = await startNode(t, redis.url)
    for (let round = 0; round < 20; round++) {
      const roomId = `r${round}`
      await a.publish(0, { roomId })
      const subscribing = a.broker.subscribe(roomId)
      const { seq } = await a.publish(1, { roomId }) as Published
      await subscribing
      const view = await a.broker.read(roomId)
      t.match(view, { seq })
      await a.publish(2, { roomId })
      await until('the later event is delivered', () => a.heard.events.some(([room, , n]) => room === roomId && n === 2))
    }
    t.strictSame(a.heard.lost, [])
    for (let round = 0; round < 20; round++) {
      const seqs = a.heard.events.filter(([room]) => room === `r${round}`).map(([, seq]) => seq)
      t.strictSame(seqs, seqs.toSorted((x, y) => x - y))
    }
  })

  t.test('an answer that overtakes another node\'s earlier event waits for it', async (t) => {
    const [a, b] = await pair(t)
    await Promise.all([a.broker.subscribe('r'), b.broker.subscribe('r')])
    const { stream } = b.connection.subscriber as Redis
    stream.pause()
    await a.publish('earlier')
    await b.publish('own')
    await b.publish('own too')
    t.strictSame(b.heard.events, [])
    const reads = await readsOf()
    stream.resume()
    await until('all are delivered', () => b.heard.events.length === 3)
    t.strictSame(numbers(b), [[1, 'earlier'], [2, 'own'], [3, 'own too']])
    await until('the other node has them too', () => a.heard.events.length === 3)
    t.equal(await readsOf(), reads, 'the log was not read')
  })

  t.test('another node\'s event that overtakes the answer to an earlier one waits for it', async (t) => {
    const [a, b] = await pair(t)
    await Promise.all([a.broker.subscribe('r'), b.broker.subscribe('r')])
    const { stream } = b.connection.commands as Redis
    stream.pause()
    const answer = b.publish('own')
    await until('Redis has the event', async () => await redis.client.hget(a.key('r'), 'seq') === '1')
    const isThere = arrivalAt(b, 'last')
    await a.publish('later')
    await a.publish('last')
    await until('the later events have arrived', isThere)
    t.strictSame(b.heard.events, [])
    const reads = await readsOf()
    stream.resume()
    t.match(await answer, { seq: 1 })
    t.strictSame(numbers(b), [[1, 'own'], [2, 'later'], [3, 'last']])
    t.equal(await readsOf(), reads, 'the log was not read')
  })

  t.test('an event behind a lost one is read from the log when the answers that it waited for are there', async (t) => {
    const [a, b] = await pair(t)
    await Promise.all([a.broker.subscribe('r'), b.broker.subscribe('r')])
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.publish('lost')
    await b.connection.subscriber.ssubscribe(b.channel)
    const { stream } = b.connection.commands as Redis
    stream.pause()
    const answer = b.publish('own')
    await until('Redis has the event', async () => await redis.client.hget(a.key('r'), 'seq') === '2')
    const isThere = arrivalAt(b, 'later')
    await a.publish('later')
    await until('the later event has arrived', isThere)
    stream.resume()
    await answer
    await until('all are delivered without a tick', () => b.heard.events.length === 3)
    t.strictSame(numbers(b), [[1, 'lost'], [2, 'own'], [3, 'later']])
  })

  t.test('an event whose answer is lost is delivered on its own node by the next tick', async (t) => {
    const [a, b] = await pair(t, { mayFail: true })
    await Promise.all([a.broker.subscribe('r'), b.broker.subscribe('r')])
    const { stream } = b.connection.commands as Redis
    stream.pause()
    const answer = b.publish('unanswered')
    await until('the other node has the event', () => a.heard.events.length === 1)
    stream.destroy()
    t.match(await answer, { code: 'UNAVAILABLE' })
    await until('the node has it too', async () => {
      await b.pass(1_000)
      return b.heard.events.length === 1
    })
    t.strictSame([numbers(b), b.heard.lost], [[[1, 'unanswered']], []])
  })

  t.test('a node whose registration is lost registers again at the next check, with its members', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    await b.broker.announce('r', [member('b1')], [])
    t.match(await a.publish(1), { receivers: 1 })
    await until('the event arrives', () => b.heard.events.length === 1)
    // A room as the version before stores it, too.
    await redis.client.hdel(b.key('r'), 'here')
    t.match(await a.publish(2), { seq: 2, receivers: 0 })
    await b.pass(CHECK_INTERVAL)
    t.strictSame(numbers(b), [[1, 1], [2, 2]])
    t.equal(await hereOf(b.key('r')), ` ${b.node}=1 `)
    t.match(await a.publish(3), { receivers: 1 })
    await until('the next event arrives', () => b.heard.events.length === 3)
    t.strictSame(b.heard.lost, [])
  })

  t.test('a room lists the nodes that are subscribed, and their connected members', async (t) => {
    const [a, b] = await pair(t)
    await a.broker.subscribe('r')
    await b.broker.subscribe('r')
    await a.broker.announce('r', [member('a1'), member('a2')], [])
    t.equal(await hereOf(a.key('r')), ` ${b.node}=0 ${a.node}=2 `)
    await a.broker.unsubscribe('r')
    await a.broker.announce('r', [], [member('a1')])
    t.equal(await hereOf(a.key('r')), ` ${b.node}=0 `, 'a node with members that are away gets no messages')
    t.match(await b.publish(1), { receivers: 0 })
  })

  t.test('a check that fails is made up for by the next tick', async (t) => {
    const [a, b] = await pair(t, { mayFail: true })
    await b.broker.subscribe('r')
    await b.connection.subscriber.sunsubscribe(b.channel)
    await a.publish(1)
    await redis.client.rename(a.key('r'), `${a.prefix}:aside`)
    await redis.client.set(a.key('r'), 'another type of key')
    await b.pass(CHECK_INTERVAL)
    t.strictSame(b.heard.events, [])
    await redis.client.rename(`${a.prefix}:aside`, a.key('r'))
    await b.broker.tick()
    t.strictSame([numbers(b), b.heard.lost], [[[1, 1]], []])
  })

  t.test('a room that is left in the turn in which it was entered is not registered', async (t) => {
    const [a, b] = await pair(t)
    await b.broker.subscribe('r')
    const subscribing = a.broker.subscribe('r')
    await a.broker.unsubscribe('r')
    t.equal(await subscribing, undefined)
    t.equal(await hereOf(b.key('r')), ` ${b.node}=0 `)
  })

  t.test('the names of dead nodes leave a room when it is renewed', async (t) => {
    const [a, b] = await pair(t, { mayFail: true })
    await a.broker.subscribe('r')
    await b.broker.subscribe('r')
    a.connection.close()
    await redis.client.zrem(`${a.prefix}:{@nodes}`, a.node)
    for (let passed = 0; passed <= 20_000 + RETENTION / 2; passed += 5_000) await b.pass(5_000)
    t.equal(await hereOf(b.key('r')), ` ${b.node}=0 `)
  })

  t.test('a node joins no room while its channel is not subscribed', async (t) => {
    const a = await startNode(t, redis.url, { mayFail: true })
    const subscriber = a.connection.subscriber as Redis
    subscriber.disconnect(true)
    await until('the connection is lost', () => subscriber.status !== 'ready')
    t.match(await a.broker.subscribe('r'), { code: 'UNAVAILABLE' })
    await until('it is back', async () => !(await a.broker.subscribe('r') instanceof Failure))
    await a.publish(1)
    t.strictSame(numbers(a), [[1, 1]])
  })
})
