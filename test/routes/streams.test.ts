// Events of a room as server-sent events: replay, live events, resumption and end.
import t, { type Test } from 'tap'
import { wantsStream } from '../../src/sessions/sse-session.js'
import { build, listen } from '../build.js'
import { readStream } from '../event-stream.js'
import { flood } from '../flood.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

interface Message { type: string, payload: Record<string, unknown>, seq?: number }

const follow = (t: Test, port: number, path: string, headers?: Record<string, string>) => readStream<Message>(t, port, path, headers)

t.test('listRoomEvents as a stream replays the log, then sends live events, and resumes at Last-Event-ID', async (t) => {
  const { app, port, url } = await listen(t)
  const phone = await Peer.connect(t, url)
  for (let i = 1; i <= 2; i++) phone.send('CLICKED_PAY', { roomId: 'r', i })
  await phone.settled()
  const stream = await follow(t, port, '/api/rooms/r/events?deviceId=till')
  t.equal(stream.answer.statusCode, 200)
  t.match(stream.answer.headers, { 'content-type': /^text\/event-stream/, 'cache-control': 'no-store' })
  await until('the replayed events have arrived', () => stream.messages().length === 3)
  phone.send('PAYMENT_SUCCESS', { roomId: 'r', amount: 5 })
  await until('the live event has arrived', () => stream.messages().length === 4)
  const [joined, ...events] = stream.messages()
  t.match(joined!.data, { type: 'ROOM_JOINED', payload: { roomId: 'r', deviceId: 'till', seq: 2, recovered: true, replayed: 2, state: { step: 'CLICKED_PAY' } } })
  t.notOk(joined!.id, 'only logged events move the position')
  const epoch = joined!.data.payload.epoch as string
  t.strictSame(events.map(({ id, data }) => [id, data.type, data.seq]), [
    [`${epoch}:1`, 'CLICKED_PAY', 1], [`${epoch}:2`, 'CLICKED_PAY', 2], [`${epoch}:3`, 'PAYMENT_SUCCESS', 3]
  ])
  t.match(app.rooms.members('r'), [{}, { deviceId: 'till', role: 'device1' }])

  const resumed = await follow(t, port, '/api/rooms/r/events?since=0', { 'last-event-id': `${epoch}:2` })
  await until('the stream resumes', () => resumed.messages().length === 2)
  t.match(resumed.messages(), [{ data: { payload: { recovered: true, replayed: 1 } } }, { id: `${epoch}:3` }])
  const lost = await follow(t, port, '/api/rooms/r/events', { 'last-event-id': 'another:2' })
  await until('the stream starts over', () => lost.messages().length === 4)
  t.match(lost.messages()[0], { data: { payload: { recovered: false, replayed: 3 } } })

  const head = await app.inject({ method: 'HEAD', url: '/api/rooms/r/events', headers: { accept: 'text/event-stream' } })
  t.equal(head.statusCode, 404, 'a HEAD request opens no stream, which would never end')
  stream.request.destroy()
  resumed.request.destroy()
  lost.request.destroy()
  await until('the streams are gone', () => app.rooms.members('r').every(({ role }) => role === 'device2') && app.sessions.size === 1, 20_000)
})

t.test('a stream creates a room as a join does, and ends with the room', async (t) => {
  const { app, port } = await listen(t)
  const stream = await follow(t, port, '/api/rooms/r/events')
  await until('the stream joined', () => stream.messages().length === 1)
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  await stream.ended
  t.match(stream.messages()[1]!.data, { type: 'ROOM_CLOSED', payload: { reason: 'closed' } })
  const again = await follow(t, port, '/api/rooms/r/events')
  t.equal(again.answer.statusCode, 410, 'the status 410 stops the reader')
})

t.test('the heartbeat keeps a stream open, and a draining server ends the stream', async (t) => {
  const { app, port } = await listen(t, { env: { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' } })
  const stream = await follow(t, port, '/api/rooms/r/events')
  await until('two pings', () => stream.text().split(': ping').length > 2)
  t.equal(app.rooms.size, 1, 'a stream needs no pong')
  const closing = app.close()
  await stream.ended
  await closing
  t.match(stream.text(), /^: heartbeat 1000\nretry: \d+\n/)
})

t.test('a stream whose reader does not read is closed, and other members lose no events', async (t) => {
  const { app, port, url } = await listen(t)
  const stream = await follow(t, port, '/api/rooms/r/events')
  await until('the stream joined', () => stream.messages().length === 1)
  stream.answer.pause()
  const shop = await Peer.connect(t, url)
  await shop.join('r')
  const phone = await Peer.connect(t, url)
  const sent = await flood(phone, shop)
  await until('the stream is gone', () => app.sessions.size === 2)
  await shop.settled()
  t.equal(shop.events.length, sent)
})

t.test('a request is answered with a stream only if its Accept names text/event-stream', async (t) => {
  for (const accept of ['text/event-stream', 'Text/Event-Stream', 'text/html, text/event-stream;q=0.5', 'text/event-stream; charset=utf-8']) t.equal(wantsStream(accept), true, accept)
  for (const accept of [undefined, '', '*/*', 'text/*', 'application/json', 'text/event-stream;q=0', 'text/event-stream; q=0.0', 'text/event-streams']) t.equal(wantsStream(accept), false, String(accept))
})

t.test('a draining server refuses new streams', async (t) => {
  const { app } = await build(t)
  app.sessions.draining = true
  const answer = await app.inject({ url: '/api/rooms/r/events', headers: { accept: 'text/event-stream' } })
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { code: 'UNAVAILABLE' })
})

t.test('a stream whose room is closed while it opens is answered with 503', async (t) => {
  const { app } = await build(t)
  const read = app.broker.read.bind(app.broker)
  app.broker.read = async (...args) => {
    await app.broker.closeRoom('r')
    return read(...args)
  }
  const answer = await app.inject({ url: '/api/rooms/r/events', headers: { accept: 'text/event-stream' } })
  t.equal(answer.statusCode, 503)
  t.equal(app.sessions.size, 0)
})

t.test('a stream that asks for presence and stalls receives them as a socket does', async (t) => {
  let time = 1_000_000
  const { url, port, app } = await listen(t, { now: () => time })
  const stream = await follow(t, port, '/api/rooms/r/events?deviceId=till&presence=true&stalls=true')
  const plain = await follow(t, port, '/api/rooms/r/events?deviceId=plain')
  await until('both streams are open', () => stream.messages().length > 0 && plain.messages().length > 0)
  t.match(stream.messages()[0]!.data, { type: 'ROOM_JOINED', payload: { members: [{ deviceId: 'till' }] } })
  t.notOk('members' in plain.messages()[0]!.data.payload)
  const phone = await Peer.connect(t, url)
  await phone.join('r', 'phone')
  phone.send('DATA_FILLED', { roomId: 'r' })
  await phone.settled()
  await app.broker.tick()
  time += 200_000
  await app.broker.tick()
  phone.send('LEAVE_ROOM', { roomId: 'r' })
  const types = (of: typeof stream) => of.messages().slice(1).map(({ data }) => data.type)
  await until('the departure has arrived', () => types(stream).includes('DEVICE_LEFT'))
  t.strictSame(types(stream), ['DEVICE_JOINED', 'DEVICE_JOINED', 'DATA_FILLED', 'PAYMENT_STALLED', 'DEVICE_LEFT'])
  t.strictSame(types(plain), ['DATA_FILLED'])
})
