// REST API of the seed, and the envelope of every error that a client can receive.
import net from 'node:net'
import { once } from 'node:events'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { ERRORS } from '../../src/errors.js'
import { EVENT_TYPES } from '../../src/protocol/events.js'
import { VERSION } from '../../src/root.js'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

const BROADCAST = { eventType: 'PAYMENT_UPDATE', message: 'Pagamento processado com sucesso!', idSeguro: 'seguro_123456' }
const broadcastUrl = (roomId: string) => `/api/message/room/${roomId}/broadcast`

t.test('GET / names the server, its version and its endpoints', async (t) => {
  const { app } = await build(t, { now: () => 7 })
  const answer = await app.inject('/')
  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { message: 'WebSocket Payment Server', version: VERSION, docs: '/docs', timestamp: 7 })
  for (const endpoint of Object.values<string>(answer.json().endpoints)) {
    const [method, url] = endpoint.split(' ') as ['GET' | 'POST', string]
    t.ok(app.hasRoute({ method, url }), `${endpoint} exists`)
  }
})

t.test('with DOCS=false GET / names no docs, and /docs is answered with 404', async (t) => {
  const { app } = await build(t, { env: { DOCS: 'false' } })
  t.equal((await app.inject('/')).json().docs, null)
  t.equal((await app.inject('/docs')).statusCode, 404)
})

t.test('GET /health answers with the status ok', async (t) => {
  const { app } = await build(t, { now: () => 7 })
  t.strictSame((await app.inject('/health')).json(), { status: 'ok', timestamp: 7 })
})

t.test('GET /ready answers 200 when the server accepts traffic, else 503 with the checks', async (t) => {
  const { app } = await build(t)
  const ready = await app.inject('/ready')
  t.equal(ready.statusCode, 200)
  t.strictSame(ready.json(), { status: 'ready', checks: { broker: 'up', draining: false, eventLoop: 'ok' } })

  app.broker.ready = () => false
  const down = await app.inject('/ready')
  t.equal(down.statusCode, 503)
  t.match(down.json(), { status: 'not ready', checks: { broker: 'down' } })

  app.broker.ready = () => true
  app.sessions.draining = true
  const draining = await app.inject('/ready')
  t.equal(draining.statusCode, 503)
  t.match(draining.json(), { status: 'not ready', checks: { broker: 'up', draining: true } })
  t.equal((await app.inject('/api/server/status')).json().data.status, 'draining')
})

t.test('GET /ready answers 503 while the event loop is delayed', async (t) => {
  const { app } = await build(t)
  for (let i = 0; i < 8; i++) {
    for (const end = performance.now() + 350; performance.now() < end;); // blocks the event loop on purpose
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const delayed = await app.inject('/ready')
  t.equal(delayed.statusCode, 503)
  t.match(delayed.json(), { checks: { eventLoop: 'delayed' } })
  await until('the server is ready again by itself', async () => (await app.inject('/ready')).statusCode === 200)
})

t.test('GET /api/server/status has the six keys of the seed', async (t) => {
  let time = 1_705_312_200_000
  const { app } = await build(t, { now: () => time })
  const shop = await Peer.inject(t, app)
  await Peer.inject(t, app)
  await shop.join('a')
  await shop.join('b')
  time += 3_600_000
  const answer = await app.inject('/api/server/status')
  t.equal(answer.statusCode, 200)
  t.strictSame(answer.json(), {
    success: true,
    data: { status: 'running', uptime: 3_600_000, totalConnections: 2, totalRooms: 2, timestamp: time, version: VERSION },
    timestamp: time
  })
})

t.test('a broadcast reaches every member of the room, and its answer has the six keys of the seed', async (t) => {
  const { app } = await build(t, { now: () => 9 })
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  const stranger = await Peer.inject(t, app)
  await shop.join('payment_123')
  await stranger.join('payment_124')
  phone.send('ENTERED_SUMMARY', { roomId: 'payment_123' })
  await phone.settled()
  const answer = await app.inject({ method: 'POST', url: broadcastUrl('payment_123'), payload: { ...BROADCAST, extra: 1 } })
  t.equal(answer.statusCode, 200)
  t.strictSame(answer.json(), { success: true, data: { roomId: 'payment_123', ...BROADCAST, sentToClients: 2, timestamp: 9 }, timestamp: 9 })
  const frame = {
    type: 'PAYMENT_UPDATE',
    payload: { roomId: 'payment_123', message: BROADCAST.message, idSeguro: BROADCAST.idSeguro, timestamp: 9, source: 'api' },
    seq: 2,
    timestamp: 9,
    source: 'api'
  }
  t.strictSame(await shop.next('PAYMENT_UPDATE'), frame)
  t.strictSame(await phone.next('PAYMENT_UPDATE'), frame)
  await stranger.settled()
  t.strictSame(stranger.events, [])
})

t.test('a broadcast to a known but empty room is answered with 200, and the event is in the log', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  await shop.join('r')
  shop.socket.close()
  await until('the socket is gone', () => app.sessions.size === 0)
  const answer = await app.inject({ method: 'POST', url: broadcastUrl('r'), payload: BROADCAST })
  t.match(answer.json(), { success: true, data: { sentToClients: 0 } })
  t.equal((await (await Peer.inject(t, app)).join('r')).payload.seq, 1)
})

t.test('a broadcast to an unknown room is answered with 404', async (t) => {
  const { app } = await build(t)
  const answer = await app.inject({ method: 'POST', url: broadcastUrl('nobody'), payload: BROADCAST })
  t.equal(answer.statusCode, 404)
  t.match(answer.json(), { success: false, code: 'ROOM_NOT_FOUND', error: ERRORS.ROOM_NOT_FOUND.message, requestId: /./, timestamp: Number })
})

t.test('a broadcast while the broker is away is answered with 503', async (t) => {
  const { app } = await build(t)
  const { Failure } = await import('../../src/errors.js')
  app.broker.publish = async () => new Failure('UNAVAILABLE')
  const answer = await app.inject({ method: 'POST', url: broadcastUrl('r'), payload: BROADCAST })
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { success: false, code: 'UNAVAILABLE' })
})

t.test('the answer to an invalid broadcast names each invalid key', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  await shop.join('r')
  const details = async (payload: object) => {
    const answer = await app.inject({ method: 'POST', url: broadcastUrl('r'), payload })
    t.equal(answer.statusCode, 400)
    t.match(answer.json(), { success: false, code: 'INVALID_REQUEST' })
    return answer.json().details.map(({ key, rule }: { key: string, rule: string }) => `${key} ${rule}`)
  }
  t.strictSame(await details({}), ['eventType is required', 'message is required', 'idSeguro is required'])
  t.match(await details({ ...BROADCAST, message: 5, idSeguro: null }), ['message must be string', 'idSeguro must be string'], 'values are not coerced')
  t.match(await details({ ...BROADCAST, message: '' }), [/^message /])
  t.match(await details([]), [/^body must be object/])
  for (const eventType of [...EVENT_TYPES, 'ROOM_JOINED', 'ERROR', 'ACK', 'PONG', 'ROOM_CLOSED', '__proto__', 'constructor', '', 'A'.repeat(65), 'a b', '"', 'a\r\n']) {
    t.match(await details({ ...BROADCAST, eventType }), [/^eventType /], `reserved or malformed: ${JSON.stringify(eventType)}`)
  }
  await shop.settled()
  t.strictSame(shop.events, [], 'no invalid broadcast was published')
})

t.test('every error has the same envelope', async (t) => {
  const { app, logs } = await build(t, { now: () => 3 })
  app.broker.ready = () => { throw new Error('secret detail') }
  const json = { 'content-type': 'application/json' }
  const room = 'a'.repeat(128)
  for (const [name, request, status, code] of [
    ['unknown route', { url: '/nope' }, 404, 'NOT_FOUND'],
    ['wrong method', { method: 'PUT', url: '/health' }, 404, 'NOT_FOUND'],
    ['malformed URL', { url: '/%E0%A4%A' }, 400, 'INVALID_REQUEST'],
    ['malformed JSON', { method: 'POST', url: broadcastUrl('r'), payload: '{"eventType":', headers: json }, 400, 'INVALID_JSON'],
    ['empty body', { method: 'POST', url: broadcastUrl('r'), payload: '', headers: json }, 400, 'INVALID_REQUEST'],
    ['no body at all', { method: 'POST', url: broadcastUrl('r') }, 400, 'INVALID_REQUEST'],
    ['poisoned JSON', { method: 'POST', url: broadcastUrl('r'), payload: '{"__proto__":{}}', headers: json }, 400, 'INVALID_JSON'],
    ['plain text', { method: 'POST', url: broadcastUrl('r'), payload: JSON.stringify(BROADCAST), headers: { 'content-type': 'text/plain' } }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['wrong content type', { method: 'POST', url: broadcastUrl('r'), payload: '<a/>', headers: { 'content-type': 'text/xml' } }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['body too large', { method: 'POST', url: broadcastUrl('r'), payload: JSON.stringify({ message: 'x'.repeat(20_000) }), headers: json }, 413, 'PAYLOAD_TOO_LARGE'],
    ['room id with a slash', { method: 'POST', url: broadcastUrl('a%2Fb'), payload: BROADCAST }, 400, 'INVALID_REQUEST'],
    ['room id with a line break', { method: 'POST', url: broadcastUrl('a%0d%0ab'), payload: BROADCAST }, 400, 'INVALID_REQUEST'],
    ['room id of 129 characters', { method: 'POST', url: broadcastUrl(room + 'a'), payload: BROADCAST }, 400, 'INVALID_REQUEST'],
    ['room id of 128 characters is fine', { method: 'POST', url: broadcastUrl(room), payload: BROADCAST }, 404, 'ROOM_NOT_FOUND'],
    ['room id of 128 encoded characters is fine', { method: 'POST', url: broadcastUrl('%61'.repeat(128)), payload: BROADCAST }, 404, 'ROOM_NOT_FOUND'],
    ['parameter far too long', { method: 'POST', url: broadcastUrl('a'.repeat(400)), payload: BROADCAST }, 414, 'URI_TOO_LONG'],
    ['a crash', { url: '/ready' }, 500, 'INTERNAL']
  ] as const) {
    const answer = await app.inject(request as InjectOptions)
    t.equal(answer.statusCode, status, name)
    t.match(answer.headers['content-type'], /^application\/json/)
    const { details, ...body } = answer.json()
    t.match(body, { success: false, error: /^.+/, code, requestId: /^[\w-]{12}$/, timestamp: 3 }, name)
    t.strictSame(Object.keys(body).sort(), ['code', 'error', 'requestId', 'success', 'timestamp'])
    t.notMatch(answer.body, 'secret detail')
  }
  t.match(logs.filter(({ level }) => level >= 50), [{ msg: 'request failed', err: { message: 'secret detail' }, reqId: /./ }], 'the crash is logged once')
})

t.test('an error of a library keeps its status 411, with the code INVALID_REQUEST', async (t) => {
  const { app } = await build(t)
  app.broker.ready = () => { throw Object.assign(new Error('how long is it?'), { statusCode: 411 }) }
  const answer = await app.inject('/ready')
  t.equal(answer.statusCode, 411)
  t.match(answer.json(), { success: false, code: 'INVALID_REQUEST' })
})

t.test('an OPTIONS request that is no preflight is answered with 204', async (t) => {
  const { app } = await build(t)
  t.equal((await app.inject({ method: 'OPTIONS', url: '/health' })).statusCode, 204)
})

t.test('a request that is not HTTP is answered in the envelope, and its connection is closed', async (t) => {
  const { port } = await listen(t)
  const ask = async (text: string) => {
    const socket = net.connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => { answer += String(chunk) })
    socket.write(text)
    await once(socket, 'close')
    const [head, body] = answer.split('\r\n\r\n')
    return { head, body: JSON.parse(body!) }
  }
  const nonsense = await ask('nonsense\r\n\r\n')
  t.match(nonsense.head, /^HTTP\/1.1 400 Bad Request/)
  t.match(nonsense.body, { success: false, code: 'INVALID_REQUEST', requestId: /./ })
  const expecting = await ask('GET / HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\nconnection: close\r\n\r\n')
  t.match(expecting.head, /^HTTP\/1.1 417 /)
  t.match(expecting.body, { success: false, code: 'INVALID_REQUEST' })
  const dots = await ask('GET /api/rooms/.. HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  t.match(dots.body, { success: false, code: 'INVALID_REQUEST', details: [{ key: 'roomId' }] }, 'two dots are no room id')
  const huge = await ask(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(17 * 1024)}\r\n\r\n`)
  t.match(huge.head, /^HTTP\/1.1 431 /)
  t.match(huge.body, { success: false, code: 'INVALID_REQUEST' })
})
