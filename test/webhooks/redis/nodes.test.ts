// Webhooks of several nodes over one Redis: from the scripts that change a room to the receiver.
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { OUTBOX_LIFETIME, Outbox } from '../../../src/broker/redis/outbox.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import type { PaymentEventType } from '../../../src/protocol/events.js'
import { WEBHOOK_TYPES } from '../../../src/protocol/notifications.js'
import { SWEEP_INTERVAL } from '../../../src/webhooks/redis/redis-queue.js'
import { startBroker } from '../../broker/redis/node.js'
import { RETENTION, STALL } from '../../broker/contract.js'
import { build } from '../../build.js'
import { startRedis, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { changeOf, silentLog, START } from '../contract.js'
import { SECRET, startReceiver, type WebhookReceiver } from '../receiver.js'
import { startRedisQueue } from './queue.js'

const KEY = { authorization: 'Bearer key' }
const ALL = WEBHOOK_TYPES.join(',')
let count = 0

const newPrefix = () => `webhooks${++count}`

async function startNode (t: Test, redis: RedisServer, prefix: string, env: Record<string, string> = {}) {
  const { app, logs } = await build(t, { env: { API_KEYS: 'key', REDIS_URL: redis.url, REDIS_PREFIX: prefix, WEBHOOK_SECRET: SECRET, WEBHOOK_ALLOW_PRIVATE: 'true', ...env } })
  await until('the node is ready', () => app.broker.ready())
  return { app, logs }
}

const publish = (app: FastifyInstance, roomId: string, type: PaymentEventType, payload: object = {}) =>
  app.inject({ method: 'POST', url: `/api/rooms/${roomId}/events`, headers: KEY, payload: { type, payload } })
const create = (app: FastifyInstance, payload: object) => app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload })
const seqsOf = ({ received }: WebhookReceiver, roomId: string) => received.filter(({ data }) => data.roomId === roomId).map(({ data: { seq } }) => seq)
/** An outbox whose node tells nobody of what it appends, as one that dies at that moment. */
const silentOutbox = () => new Outbox({ everyRoom: true, mayBeWanted: () => true })

t.test('webhooks over Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)

  t.test('changes on two nodes come once, in the order of the room, each with the state after it', async (t) => {
    const receiver = await startReceiver(t)
    const prefix = newPrefix()
    const env = { WEBHOOK_URL: receiver.url, WEBHOOK_EVENTS: ALL }
    const nodes = [await startNode(t, redis, prefix, env), await startNode(t, redis, prefix, env)]
    const rooms = ['a', 'b', 'c:with:colons', '~x.y-z']
    await Promise.all(rooms.map(async (roomId) => {
      for (let n = 1; n <= 10; n++) await publish(nodes[n % 2]!.app, roomId, 'PAYMENT_METHOD_CHANGED', { method: `method ${n}` })
      await publish(nodes[0]!.app, roomId, 'PAYMENT_SUCCESS', { transactionId: 'tx', amount: 1, currency: 'BRL' })
    }))
    await until('all webhooks arrive', () => receiver.received.length >= 44)
    for (const roomId of rooms) {
      t.strictSame(seqsOf(receiver, roomId), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], roomId)
      const states = receiver.received.filter(({ data }) => data.roomId === roomId).map(({ data: { state } }) => [state.method, state.status])
      t.strictSame(states, [...Array.from({ length: 10 }, (_, n) => [`method ${n + 1}`, 'pending']), ['method 10', 'succeeded']], roomId)
    }
    t.equal(new Set(receiver.received.map(({ id }) => id)).size, 44)
    t.equal(receiver.refused(), 0)
    await until('no outbox is left', async () => (await redis.client.keys(`${prefix}:*:outbox*`)).length === 0)
    const list = async (app: FastifyInstance) => (await app.inject({ url: '/api/webhooks/deliveries', headers: KEY })).json().data.deliveries
    await until('all are listed as delivered', async () => (await list(nodes[1]!.app)).every(({ status }: { status: string }) => status === 'delivered'))
    t.equal((await list(nodes[0]!.app)).length, 44, 'both nodes list them')
    t.match((await nodes[0]!.app.inject({ url: '/metrics', headers: KEY })).body, /wsp_webhook_oldest_seconds 0\n/)
  })

  t.test('a room may have a URL of its own, also on a server without one; a closed room still gets its webhooks', async (t) => {
    const [own, common] = [await startReceiver(t), await startReceiver(t)]
    const prefix = newPrefix()
    const { app } = await startNode(t, redis, prefix)
    await create(app, { roomId: 'own', webhookUrl: own.url, reference: 'order 1' })
    for (const roomId of ['own', 'none']) await publish(app, roomId, 'PAYMENT_SUCCESS', { transactionId: 'tx' })
    await app.inject({ method: 'DELETE', url: '/api/rooms/own', headers: KEY })
    await until('the webhooks arrive', () => own.received.length === 2)
    t.match(own.received, [{ type: 'payment.succeeded', data: { reference: 'order 1', seq: 1 } }, { type: 'room.closed', data: { reference: 'order 1', seq: 1, state: { status: 'succeeded' } } }])
    t.strictSame(await redis.client.keys(`${prefix}:{none}:outbox`), [])
    t.strictSame(common.received, [])
  })

  t.test('a pause and the deadline of a link are sent, also if nobody watches the room', async (t) => {
    const receiver = await startReceiver(t)
    const { app } = await startNode(t, redis, newPrefix(), { WEBHOOK_URL: receiver.url, STALL_SECONDS: '1' })
    await create(app, { roomId: 'r', ttlSeconds: 3 })
    await publish(app, 'r', 'CLICKED_PAY')
    await until('both arrive', () => receiver.received.length === 2)
    t.match(receiver.received, [{ type: 'payment.stalled', data: { seq: 1, state: { step: 'CLICKED_PAY' } } }, { type: 'payment.expired', data: { seq: 2, state: { status: 'expired' } } }])
  })

  t.test('changes of a node that died before it could add a job are found at the start of another', async (t) => {
    const receiver = await startReceiver(t)
    const prefix = newPrefix()
    const { broker, pass } = await startBroker(t, redis.url, { prefix, outbox: silentOutbox() })
    for (const roomId of ['a', 'b']) {
      const draft = (type: string, timestamp: number) => draftEvent({ type: type as PaymentEventType, payload: { roomId, transactionId: 'tx' } }, { source: 'api', verified: true, timestamp })
      await broker.publish(roomId, draft('CLICKED_PAY', START), true)
      await pass(STALL)
      await broker.publish(roomId, draft('PAYMENT_SUCCESS', START + 1), true)
    }
    await broker.closeRoom('a')
    await pass(RETENTION * 2)
    t.equal(await redis.client.exists(`${prefix}:{a}:log`), 0, 'the room is over')
    const lifetime = await redis.client.pttl(`${prefix}:{a}:outbox`)
    t.ok(lifetime > OUTBOX_LIFETIME - 600_000 && lifetime <= OUTBOX_LIFETIME)
    await startNode(t, redis, prefix, { WEBHOOK_URL: receiver.url, WEBHOOK_EVENTS: ALL })
    await until('all arrive', () => receiver.received.length >= 7)
    const types = (roomId: string) => receiver.received.filter(({ data }) => data.roomId === roomId).map(({ type }) => type)
    t.strictSame([types('a'), types('b')], [
      ['payment.progressed', 'payment.stalled', 'payment.succeeded', 'room.closed'], ['payment.progressed', 'payment.stalled', 'payment.succeeded']
    ])
  })

  t.test('the outbox of a room is bounded: beyond it the oldest change is dropped, which is reported', async (t) => {
    const prefix = newPrefix()
    const outbox = silentOutbox()
    const drops: boolean[] = []
    outbox.listener = { ...outbox.listener, appended: (_change, dropped) => drops.push(dropped) }
    const { broker } = await startBroker(t, redis.url, { prefix, outbox })
    for (let n = 1; n <= 1002; n++) {
      await broker.publish('r', draftEvent({ type: 'PAYMENT_METHOD_CHANGED', payload: { roomId: 'r', method: `m${n}` } }, { source: 'device', timestamp: START }), true)
    }
    t.strictSame(drops.slice(-3), [false, true, true])
    t.equal(await redis.client.llen(`${prefix}:{r}:outbox`), 1000)
    t.match(JSON.parse((await redis.client.lindex(`${prefix}:{r}:outbox`, 0))!), { seq: 3 })
  })

  t.test('without webhooks a publish runs no other commands than before, and no outbox is made', async (t) => {
    // A Redis of its own: other nodes run commands too.
    const quiet = await startRedis(t)
    const commandsOf = async (outbox?: Outbox) => {
      const prefix = newPrefix()
      const { broker } = await startBroker(t, quiet.url, { prefix, ...(outbox && { outbox }) })
      await broker.publish('r', draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r' } }, { source: 'device', timestamp: START }), true)
      const monitor = await quiet.client.monitor()
      t.teardown(() => monitor.disconnect())
      /** Commands of each script that ran. */
      const scripts: string[][] = []
      monitor.on('monitor', (_time, args: string[], source: string) => {
        if (source === 'lua') scripts.at(-1)?.push(args[0]!.toUpperCase())
        else if (/^eval/i.test(args[0]!)) scripts.push([])
      })
      const published = () => scripts.findIndex((commands) => commands.includes('RPUSH'))
      await broker.publish('r', draftEvent({ type: 'PAYMENT_METHOD_CHANGED', payload: { roomId: 'r', method: 'pix' } }, { source: 'device', timestamp: START }), true)
      await until('the script has run, and the next one', () => published() >= 0 && published() < scripts.length - 1)
      t.equal(await quiet.client.exists(`${prefix}:{r}:outbox`), outbox ? 1 : 0)
      return scripts[published()]
    }
    t.strictSame(await commandsOf(), ['HMGET', 'INFO', 'RPUSH', 'HSET', 'HMGET'])
    t.strictSame(await commandsOf(silentOutbox()), ['HMGET', 'INFO', 'RPUSH', 'HSET', 'HMGET', 'RPUSH', 'PEXPIRE', 'HMGET'])
    t.equal(await withOutboxOf(redis, t), 1, 'an event that nobody wants is not appended')
  })

  t.test('rooms of which it is not known if they have a job are looked at again', async (t) => {
    const clock = { time: START }
    const { queue, append, jobs, prefix, commands } = await startRedisQueue(t, redis.url, clock, { prefix: newPrefix() })
    await queue.tick()
    const has = async (roomId: string) => await jobs.getJob(`room-${roomId}`) !== undefined
    await append(changeOf('a', 1))
    queue.uncertain('a')
    queue.uncertain('without-outbox')
    await queue.tick()
    t.strictSame([await has('a'), await has('without-outbox')], [true, false])

    await append(changeOf('away', 1))
    queue.uncertain('away')
    const exists = commands.exists.bind(commands)
    commands.exists = (() => Promise.reject(new Error('Redis is away'))) as never
    await queue.tick()
    commands.exists = exists
    t.notOk(await has('away'))
    await queue.tick()
    t.ok(await has('away'), 'once Redis answers')

    await append(changeOf('b', 1))
    await queue.tick()
    t.notOk(await has('b'), 'nothing says that it has none')
    queue.nodeLost()
    await queue.tick()
    t.ok(await has('b'), 'after the death of a node')

    await append(changeOf('c', 1))
    queue.nodeLost()
    await queue.tick()
    t.notOk(await has('c'), 'one node looks, for a while')
    await redis.client.del(`${prefix}:{@webhooks}:sweeper`)
    clock.time += SWEEP_INTERVAL
    await queue.tick()
    t.ok(await has('c'), 'now and then')

    await append(changeOf('d', 1))
    await redis.client.del(`${prefix}:{@webhooks}:sweeper`)
    for (let n = 0; n <= 10_000; n++) queue.uncertain(`r${n}`)
    await queue.tick()
    t.ok(await has('d'), 'too many to remember')
  })

  t.test('a record of a delivery that is no longer there is removed', async (t) => {
    const clock = { time: START }
    const { queue, prefix } = await startRedisQueue(t, redis.url, clock, { prefix: newPrefix() })
    queue.appended(changeOf('gone', 1), false)
    for (let n = 2; n < 15; n++) queue.appended(changeOf('gone', n), false)
    await until('they are listed', async () => (await queue.list(100) as unknown[]).length === 14)
    t.equal(await queue.oldest(), undefined)
    t.equal((await queue.list(100) as unknown[]).length, 4, 'ten at once')
    t.equal(await queue.oldest(), undefined)
    t.equal(await redis.client.hlen(`${prefix}:{@webhooks}:records`), 0)
  })

  t.test('dropped changes are counted and logged', async (t) => {
    const { app, logs } = await startNode(t, redis, newPrefix(), { WEBHOOK_URL: 'http://127.0.0.1:9/' })
    app.outbox!.listener.appended(changeOf('r', 1), true)
    t.match(logs.filter(({ msg }) => msg === 'webhook dropped, since too many wait'), [{ roomId: 'r', level: 50 }])
    t.match((await app.inject({ url: '/metrics', headers: KEY })).body, /wsp_webhook_dropped_total 1\n/)
    t.equal(silentLog.level, 'silent')
  })
})

/** @returns the number of keys of an outbox after a step of the payer on a server with the default types */
async function withOutboxOf (redis: RedisServer, t: Test): Promise<number> {
  const receiver = await startReceiver(t)
  const prefix = newPrefix()
  const { app } = await startNode(t, redis, prefix, { WEBHOOK_URL: receiver.url })
  receiver.replies.push(500)
  await publish(app, 'step', 'CLICKED_PAY')
  await publish(app, 'paid', 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  await until('the receiver was asked', () => receiver.received.length === 1)
  return (await redis.client.keys(`${prefix}:{*}:outbox`)).length
}

t.test('while Redis is away the list is not available, and deliveries go on when it is back', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const receiver = await startReceiver(t)
  const { app, logs } = await startNode(t, redis, newPrefix(), { WEBHOOK_URL: receiver.url })
  receiver.replies.push(503)
  await publish(app, 'r', 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  const list = () => app.inject({ url: '/api/webhooks/deliveries', headers: KEY })
  await until('it waits', async () => (await list()).json().data.deliveries[0]?.attempts === 1)
  const { id } = (await list()).json().data.deliveries[0]
  await redis.kill()
  await until('Redis is away', () => !app.broker.ready())
  t.equal((await list()).statusCode, 503)
  t.equal((await app.inject({ method: 'POST', url: `/api/webhooks/deliveries/${id}/retry`, headers: KEY })).statusCode, 503)
  t.equal((await app.inject({ url: '/metrics', headers: KEY })).statusCode, 200)
  await redis.start()
  await until('Redis is back', () => app.broker.ready())
  await until('it is delivered', () => receiver.received.length === 2)
  await publish(app, 'other', 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  await until('another one is delivered', () => receiver.received.length === 3)
  t.strictSame(logs.filter(({ level, msg }) => level >= 50 && !/Redis/.test(msg)), [])
})
