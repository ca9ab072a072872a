// The stream of the changes of all rooms: notifications, resumption, gaps, and its end.
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Notification } from '../../src/protocol/notifications.js'
import { build, listen } from '../build.js'
import { readStream } from '../event-stream.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const follow = (t: Test, port: number, headers?: Record<string, string>) => readStream<Notification>(t, port, '/api/events', headers)
type Stream = Awaited<ReturnType<typeof follow>>
const types = ({ messages }: Stream) => messages().map(({ event, data }) => event ?? data.type)

t.test('listChanges sends the changes of all rooms as notifications', async (t) => {
  const { app, port, url } = await listen(t)
  const stream = await follow(t, port)
  t.match([stream.answer.statusCode, stream.answer.headers], [200, { 'content-type': /^text\/event-stream/, 'cache-control': 'no-store' }])
  await until('the stream is open', () => stream.messages().length === 1)
  t.match(stream.messages(), [{ event: 'open', id: /^\d+-0$/, data: {} }])
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'a', reference: 'order 1', amount: 10, currency: 'BRL' } })
  const phone = await Peer.connect(t, url)
  phone.send('ENTERED_SUMMARY', { roomId: 'a' })
  phone.send('CLICKED_PAY', { roomId: 'b' })
  phone.send('PAYMENT_SUCCESS', { roomId: 'a' })
  await phone.settled()
  await app.inject({ method: 'POST', url: '/api/rooms/a/events', payload: { type: 'PAYMENT_SUCCESS' } })
  await app.inject({ method: 'DELETE', url: '/api/rooms/a' })
  await until('all changes are there', () => stream.messages().length === 6)
  t.strictSame(types(stream), ['open', 'room.created', 'payment.progressed', 'payment.progressed', 'payment.succeeded', 'room.closed'])
  const [, created, entered, , paid] = stream.messages()
  t.match(created!.data.data, { roomId: 'a', reference: 'order 1', seq: 0, state: { expected: 10, status: 'pending' } })
  t.match(entered!.data.data, { roomId: 'a', seq: 1, state: { step: 'ENTERED_SUMMARY' } })
  t.match(paid!.data.data, { roomId: 'a', seq: 2, state: { status: 'succeeded' } })
  t.equal(app.sessions.counts().stream, 1)
})

t.test('a stream resumes after the last message that its reader got', async (t) => {
  const { app, port } = await listen(t)
  const create = (roomId: string) => app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId } })
  const rooms = ({ messages }: Stream) => messages().slice(1).map(({ data }) => data.data.roomId)
  const first = await follow(t, port)
  await create('a')
  await create('b')
  await until('both changes', () => first.messages().length === 3)
  first.request.destroy()
  await until('the stream is gone', () => app.sessions.size === 0)
  await create('c')
  const [open, a] = first.messages()
  const resumed = await follow(t, port, { 'last-event-id': a!.id! })
  await create('d')
  await until('the stream resumes', () => resumed.messages().length === 4)
  t.strictSame(rooms(resumed), ['b', 'c', 'd'])
  const early = await follow(t, port, { 'last-event-id': open!.id! })
  await until('the position of `open` is one', () => early.messages().length === 5)
  t.strictSame(rooms(early), ['a', 'b', 'c', 'd'])

  const lost = await follow(t, port, { 'last-event-id': '1-1' })
  await create('e')
  await until('a gap, and the changes after it', () => lost.messages().length === 2)
  t.strictSame(types(lost), ['gap', 'room.created'])
  t.equal(lost.messages()[0]!.id, resumed.messages().at(-2)!.id, 'the position from which on nothing is missing')
})

t.test('thousands of earlier changes come in order, followed by those that are made meanwhile', async (t) => {
  const { app, port } = await listen(t, { env: { OUTBOX_MAX_BYTES: '65536' } })
  const start = await follow(t, port)
  await until('the stream is open', () => start.messages().length === 1)
  start.request.destroy()
  for (let i = 0; i < 3000; i++) await app.broker.createRoom(`r${i}`)
  const stream = await follow(t, port, { 'last-event-id': start.messages()[0]!.id! })
  for (let i = 3000; i < 4000; i++) {
    await app.broker.createRoom(`r${i}`)
    // The reader runs in this process too.
    if (i % 20 === 0) await setImmediate()
  }
  await until('all are there', () => stream.messages().length === 4001, 20_000)
  t.strictSame(stream.messages().slice(1).map(({ data }) => data.data.roomId), Array.from({ length: 4000 }, (_, i) => `r${i}`))
})

t.test('listChanges lists the same changes as JSON, page by page', async (t) => {
  const { app } = await build(t)
  const list = async (after?: string) => (await app.inject({ url: '/api/events', query: after === undefined ? {} : { after } })).json().data
  const { position: start, ...rest } = await list()
  t.strictSame(rest, { changes: [], complete: true, more: false })
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'a' } })
  t.match(await list(start), { changes: [{ position: /-1$/, type: 'room.created', timestamp: /Z$/, data: { roomId: 'a' } }], position: /-1$/, complete: true, more: false })
  for (let i = 0; i < 600; i++) await app.broker.createRoom(`r${i}`)
  const first = await list(start)
  t.match([first.changes.length, first.more], [500, true])
  t.equal((await list(first.position)).changes.length, 101)
  t.match(await list('1-1'), { changes: [], complete: false, position: /-601$/ })
  t.equal((await app.inject({ url: '/api/events', query: { after: '' } })).statusCode, 400)
})

t.test('a reader that does not read is cut off', async (t) => {
  const { app, port } = await listen(t, { env: { OUTBOX_MAX_BYTES: '1024' } })
  const stream = await follow(t, port)
  await until('the stream is open', () => stream.messages().length === 1)
  stream.answer.pause()
  await until('it is cut off', async () => {
    for (let i = 0; i < 1000; i++) await app.broker.createRoom(`r${Math.random()}`)
    return app.sessions.size === 0
  }, 20_000)
  t.match((await app.inject('/metrics')).body, 'wsp_slow_consumers_total{transport="stream"} 1')
})

t.test('a reader whose earlier changes are dropped meanwhile is asked to resume', async (t) => {
  const { app, port } = await listen(t)
  const { end } = await app.changes.feed.read() as { end: string }
  for (let i = 0; i < 600; i++) await app.broker.createRoom(`r${i}`)
  const { feed } = app.changes
  const read = feed.read.bind(feed)
  let reads = 0
  feed.read = (after) => ++reads > 1 ? { isComplete: false, entries: [], end } : read(after)
  const stream = await follow(t, port, { 'last-event-id': end })
  await stream.ended
  t.equal(stream.messages().length, 501, 'the first page came')
})

t.test('the heartbeat keeps the stream open, and a draining server ends it', async (t) => {
  const { app, port } = await listen(t, { env: { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' } })
  const stream = await follow(t, port)
  await until('two pings', () => stream.text().split(': ping').length > 2)
  const closing = app.close()
  await stream.ended
  await closing
  t.match(stream.text(), /^retry: \d+\n/)
  const { app: draining } = await build(t)
  draining.sessions.draining = true
  t.equal((await draining.inject({ url: '/api/events', headers: { accept: 'text/event-stream' } })).statusCode, 503)
})

t.test('the stream needs an API key, of which one that only reads is enough', async (t) => {
  const { app, port } = await listen(t, { env: { API_KEYS: 'key,read:looks' } })
  t.equal((await app.inject('/api/events')).statusCode, 401)
  t.equal((await app.inject({ method: 'HEAD', url: '/api/events', headers: { authorization: 'Bearer key' } })).statusCode, 404, 'a HEAD request opens no stream')
  const stream = await follow(t, port, { authorization: 'Bearer looks' })
  await until('the stream is open', () => stream.messages().length === 1)
})

t.test('over Redis each node streams the changes of all nodes', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const env = { REDIS_URL: redis.url }
  const [a, b] = [await listen(t, { env }), await listen(t, { env })]
  await until('both nodes are ready', () => a.app.broker.ready() && b.app.broker.ready())
  const streams = [await follow(t, a.port), await follow(t, b.port)]
  await until('both streams are open', () => streams.every(({ messages }) => messages().length === 1))
  await a.app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r', reference: 'order 1' } })
  const phone = await Peer.connect(t, b.url)
  phone.send('PAYMENT_METHOD_CHANGED', { roomId: 'r', method: 'pix' })
  await phone.settled()
  await a.app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'PAYMENT_SUCCESS' } })
  for (const stream of streams) {
    await until('all changes are there', () => stream.messages().length === 4)
    t.strictSame(types(stream), ['open', 'room.created', 'payment.progressed', 'payment.succeeded'])
    t.match(stream.messages()[2]!.data.data, { roomId: 'r', reference: 'order 1', seq: 1, state: { method: 'pix', step: 'PAYMENT_METHOD_CHANGED' } })
  }
  t.strictSame(streams[0]!.messages().slice(1), streams[1]!.messages().slice(1), 'with the same positions, so that a reader may resume on another node')
  await redis.kill()
  await until('the nodes have noticed', () => !a.app.broker.ready() && !b.app.broker.ready())
  for (const accept of ['text/event-stream', 'application/json']) t.equal((await a.app.inject({ url: '/api/events', headers: { accept } })).statusCode, 503, accept)
})
