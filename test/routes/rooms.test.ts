// Room endpoints: create, list, read and close rooms, read events and publish them.
import t from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

t.test('createRoom uses the given id, or generates an id that cannot be guessed', async (t) => {
  const { app } = await build(t, { now: () => 1000, env: { ROOM_RETENTION_SECONDS: '60' } })
  const create = (payload: object) => app.inject({ method: 'POST', url: '/api/rooms', payload })
  const named = await create({ roomId: 'payment_123' })
  t.equal(named.statusCode, 201)
  t.strictSame(named.json(), { success: true, data: { roomId: 'payment_123', expiresAt: 61_000 }, timestamp: 1000 })
  t.match((await create({ roomId: 'payment_123' })).json(), { success: false, code: 'ROOM_EXISTS' })
  t.equal((await create({ roomId: 'payment_123' })).statusCode, 409)
  t.equal((await create({ ttlSeconds: 5 })).json().data.expiresAt, 6000)
  const ids = new Set(await Promise.all(Array.from({ length: 20 }, async () => (await create({})).json().data.roomId)))
  t.equal(ids.size, 20)
  for (const id of ids) t.match(id, /^[\w-]{22}$/, '128 bits')
  for (const payload of [{ roomId: 'a/b' }, { ttlSeconds: 0 }, { ttlSeconds: '5' }]) t.equal((await create(payload)).statusCode, 400)
})

t.test('a created room keeps events that are published before the first join', async (t) => {
  const { app } = await build(t)
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  const broadcast = await app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload: { eventType: 'PAID', message: 'm', idSeguro: 'i' } })
  t.equal(broadcast.statusCode, 200)
  const shop = await Peer.inject(t, app)
  shop.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
  t.equal((await shop.next('PAID')).seq, 1)
})

t.test('listRooms answers page by page', async (t) => {
  const { app } = await build(t, { now: () => 5 })
  for (let i = 0; i < 5; i++) await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: `r${i}` } })
  const shop = await Peer.inject(t, app)
  await shop.join('r1')
  shop.send('PAYMENT_SUCCESS', { roomId: 'r1' })
  await shop.settled()
  const first = (await app.inject('/api/rooms?limit=3')).json()
  t.match(first, { success: true, data: { rooms: { length: 3 }, cursor: /^\d+$/ }, timestamp: 5 })
  t.strictSame(first.data.rooms[1], { roomId: 'r1', members: 1, seq: 1, status: 'succeeded', step: null, stalled: false, verified: false, updatedAt: 5, createdAt: 5, expiresAt: 900_005, lastEventAt: 5 })
  t.equal(first.data.rooms[0].lastEventAt, null)
  const second = (await app.inject(`/api/rooms?limit=3&cursor=${first.data.cursor}`)).json()
  t.match(second.data.rooms.map(({ roomId }: { roomId: string }) => roomId), ['r3', 'r4'])
  t.equal(second.data.cursor, null)
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'cursor=x']) t.equal((await app.inject(`/api/rooms?${query}`)).statusCode, 400, query)
})

t.test('listRooms shows the terms of a link, and takes an order and filters', async (t) => {
  const { app } = await build(t, { now: () => 5 })
  const create = (roomId: string, terms: object = {}) => app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId, ...terms } })
  await create('r0', { amount: '12.50', currency: 'brl', reference: 'Order 7' })
  for (const roomId of ['r1', 'r2']) await create(roomId)
  for (const [roomId, type] of [['r1', 'CLICKED_PAY'], ['r2', 'PAYMENT_SUCCESS']]) await app.inject({ method: 'POST', url: `/api/rooms/${roomId}/events`, payload: { type } })
  const found = async (query: string) => (await app.inject(`/api/rooms?${query}`)).json().data.rooms.map(({ roomId }: { roomId: string }) => roomId)
  t.match((await app.inject('/api/rooms?limit=1')).json().data.rooms, [{ roomId: 'r0', amount: 12.5, currency: 'BRL', reference: 'Order 7', step: null }])
  t.strictSame(await found('sort=newest'), ['r2', 'r1', 'r0'])
  t.strictSame(await found('status=succeeded'), ['r2'])
  t.strictSame(await found('status=pending,succeeded&sort=newest'), ['r2', 'r1', 'r0'])
  t.strictSame(await found('step=CLICKED_PAY'), ['r1'])
  t.strictSame(await found('text=order%207'), ['r0'])
  t.strictSame([await found('stalled=true'), await found('stalled=false')], [[], ['r0', 'r1', 'r2']])
  for (const query of ['status=paid', 'status=pending,', 'status=', 'step=PAYMENT_SUCCESS', 'text=', 'sort=best', 'stalled=2']) {
    t.equal((await app.inject(`/api/rooms?${query}`)).statusCode, 400, query)
  }
})

t.test('getRoom answers with the state of a room, and closeRoom closes it', async (t) => {
  const { app } = await build(t, { now: () => 5 })
  const missing = await app.inject('/api/rooms/r')
  t.equal(missing.statusCode, 404)
  t.match(missing.json(), { code: 'ROOM_NOT_FOUND' })
  t.equal((await app.inject({ method: 'DELETE', url: '/api/rooms/r' })).statusCode, 404)
  const shop = await Peer.inject(t, app)
  const joined = await shop.join('r', 'till')
  shop.send('PAYMENT_METHOD_CHANGED', { roomId: 'r', method: 'pix' })
  await shop.settled()
  t.strictSame((await app.inject('/api/rooms/r')).json(), {
    success: true,
    data: {
      roomId: 'r',
      epoch: joined.payload.epoch,
      seq: 1,
      state: { step: 'PAYMENT_METHOD_CHANGED', status: 'pending', attempt: 1, updatedAt: 5, method: 'pix' },
      members: [{ clientId: joined.payload.clientId, deviceId: 'till', role: 'device1' }],
      createdAt: 5,
      expiresAt: 900_005
    },
    timestamp: 5
  })
  const closed = await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  t.equal(closed.statusCode, 204)
  t.equal(closed.body, '')
  await shop.next('ROOM_CLOSED')
  t.match((await app.inject('/api/rooms/r')).json(), { code: 'ROOM_CLOSED' })
  const again = await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  t.equal(again.statusCode, 410)
  t.match(again.json(), { code: 'ROOM_CLOSED' })
})

t.test('publishRoomEvent sends an event to every member, and refuses events that the protocol does not allow', async (t) => {
  const { app } = await build(t, { now: () => 5 })
  const shop = await Peer.inject(t, app)
  const { payload: { epoch } } = await shop.join('r')
  const publish = (payload: object, headers = {}) => app.inject({ method: 'POST', url: '/api/rooms/r/events', payload, headers })
  const first = await publish({ type: 'CLICKED_PAY', id: 'x' })
  t.equal(first.statusCode, 201)
  t.strictSame(first.json(), { success: true, data: { epoch, seq: 1, duplicate: false, sentToClients: 1 }, timestamp: 5 })
  t.strictSame(await shop.next('CLICKED_PAY'), { type: 'CLICKED_PAY', payload: { roomId: 'r' }, seq: 1, timestamp: 5, source: 'device', id: 'x' }, 'without a key the source is a device')
  t.match((await publish({ type: 'CLICKED_PAY', id: 'x' })).json().data, { seq: 1, duplicate: true, sentToClients: 1 })
  t.match((await publish({ type: 'CLICKED_PROCEED', id: 'x' })).json(), { code: 'ID_CONFLICT' })
  t.equal((await publish({ type: 'CLICKED_PROCEED', id: 'x' })).statusCode, 409)

  for (const [payload, code, key] of [
    [{ type: 'JOIN_ROOM' }, 'INVALID_REQUEST', 'type'],
    [{ type: 'PAYMENT_UPDATE' }, 'INVALID_REQUEST', 'type'],
    [{}, 'INVALID_REQUEST', 'type'],
    [{ type: 'CLICKED_PAY', payload: 'x' }, 'INVALID_REQUEST', 'payload'],
    [{ type: 'CLICKED_PAY', id: '' }, 'INVALID_REQUEST', 'id'],
    [{ type: 'PAYMENT_SUCCESS', payload: { amount: -1 } }, 'INVALID_FRAME', 'payload.amount'],
    [{ type: 'PAYMENT_SUCCESS', payload: { roomId: 5 } }, 'INVALID_FRAME', 'payload.roomId']
  ] as const) {
    const answer = await publish(payload)
    t.equal(answer.statusCode, 400, JSON.stringify(payload))
    t.match(answer.json(), { success: false, code, details: [{ key }] })
  }
  t.match((await publish({ type: 'CLICKED_PAY', payload: { roomId: 'other' } })).json(), { code: 'INVALID_REQUEST', error: /payload\.roomId/ })
  t.match((await publish({ type: 'CLICKED_PAY', payload: { a: { b: { c: { d: { e: { f: { g: { h: 1 } } } } } } } } })).json(), { code: 'TOO_DEEP' })
  await shop.settled()
  t.equal(shop.events.length, 1, 'no refused event was published')
})

t.test('an event with one id that is sent over a socket and over REST is one event', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('r')
  const payload = { roomId: 'r', deviceId: 'phone', amount: 5 }
  phone.send('PAYMENT_SUCCESS', payload, 'last')
  await phone.next('ACK')
  const answer = await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'PAYMENT_SUCCESS', payload, id: 'last' } })
  t.match(answer.json().data, { seq: 1, duplicate: true })
  const other = await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'CLICKED_PAY', payload: { roomId: 'r' }, id: 'first over REST' } })
  t.match(other.json().data, { seq: 2, duplicate: false })
  phone.send('CLICKED_PAY', { roomId: 'r' }, 'first over REST')
  t.match((await phone.next('ACK')).payload, { id: 'first over REST', seq: 2, duplicate: true })
  await shop.settled()
  t.equal(shop.events.length, 2)
})

t.test('a repeated Idempotency-Key is answered with the first answer, or with 409 for another body', async (t) => {
  let time = 100
  const { app } = await build(t, { now: () => time++ })
  const shop = await Peer.inject(t, app)
  await shop.join('r')
  const headers = { 'idempotency-key': 'order-1' }
  const body = { eventType: 'PAID', message: 'm', idSeguro: 'i' }
  const broadcast = (payload: object, headers = {}) => app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload, headers })
  const first = await broadcast(body, headers)
  t.equal(first.json().data.sentToClients, 1)
  shop.socket.close()
  await until('all sessions have ended', () => app.sessions.size === 0)
  const again = await broadcast(body, headers)
  t.equal(again.statusCode, 200)
  t.strictSame(again.json(), first.json(), 'the answer is the same, although the room is empty by now')
  const conflict = await broadcast({ ...body, message: 'another' }, headers)
  t.equal(conflict.statusCode, 409)
  t.match(conflict.json(), { code: 'ID_CONFLICT' })
  t.match((await broadcast(body)).json().data, { sentToClients: 0 }, 'the same body without the key is another event')

  const publish = (payload: object) => app.inject({ method: 'POST', url: '/api/rooms/r/events', payload, headers: { 'idempotency-key': 'order-2' } })
  const published = await publish({ type: 'CLICKED_PAY' })
  t.match(published.json().data, { duplicate: false })
  t.strictSame((await publish({ type: 'CLICKED_PAY' })).json().data, published.json().data)
  t.equal((await publish({ type: 'CLICKED_PROCEED' })).statusCode, 409)
  t.equal((await app.inject('/api/rooms/r')).json().data.seq, 3)
  t.equal((await broadcast(body, { 'idempotency-key': 'x'.repeat(256) })).statusCode, 400)
})

t.test('listRoomEvents as JSON answers with the log after a position, by the rules of recover', async (t) => {
  const { app } = await build(t, { env: { ROOM_LOG_SIZE: '4' } })
  t.equal((await app.inject('/api/rooms/r/events')).statusCode, 404)
  const phone = await Peer.inject(t, app)
  for (let i = 1; i <= 4; i++) phone.send('CLICKED_PAY', { roomId: 'r', i })
  await phone.settled()
  const list = async (query = '') => (await app.inject(`/api/rooms/r/events${query}`)).json().data
  const all = await list()
  t.match(all, { seq: 4, recovered: true, more: false })
  t.match(all.events[0], { type: 'CLICKED_PAY', payload: { roomId: 'r', i: 1 }, seq: 1, timestamp: Number, source: 'device' })
  const seqs = async (query: string) => (await list(query)).events.map(({ seq }: { seq: number }) => seq)
  t.strictSame(await seqs(`?since=2&epoch=${all.epoch}`), [3, 4])
  t.match(await list(`?since=1&limit=2&epoch=${all.epoch}`), { recovered: true, more: true, events: [{ seq: 2 }, { seq: 3 }] })
  t.match(await list('?since=2&epoch=another'), { recovered: false, events: { length: 4 } })
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  t.match(await list(), { recovered: false, events: { length: 4 } }, 'the first event is no longer in the log')
  for (const query of ['?since=-1', '?since=x', '?limit=0', '?limit=1001']) t.equal((await app.inject(`/api/rooms/r/events${query}`)).statusCode, 400, query)
})

t.test('while the broker is away every room endpoint answers with 503', async (t) => {
  const { app } = await build(t)
  const { Failure } = await import('../../src/errors.js')
  for (const name of ['createRoom', 'listRooms', 'read', 'closeRoom', 'publish', 'subscribe'] as const) {
    (app.broker as unknown as Record<string, unknown>)[name] = async () => new Failure('UNAVAILABLE')
  }
  for (const request of [
    { method: 'POST', url: '/api/rooms', payload: {} }, { url: '/api/rooms' }, { url: '/api/rooms/r' }, { method: 'DELETE', url: '/api/rooms/r' },
    { url: '/api/rooms/r/events' }, { url: '/api/rooms/r/events', headers: { accept: 'text/event-stream' } },
    { method: 'POST', url: '/api/rooms/r/events', payload: { type: 'CLICKED_PAY' } }
  ] as const) {
    const answer = await app.inject(request)
    t.equal(answer.statusCode, 503, `${'method' in request ? request.method : 'GET'} ${request.url}`)
    t.match(answer.json(), { success: false, code: 'UNAVAILABLE' })
  }
})

t.test('event ids of devices and of backends are separate, and so are event ids and Idempotency-Keys', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'secret' } })
  const phone = await Peer.inject(t, app)
  phone.send('PAYMENT_SUCCESS', { roomId: 'r', amount: 5 }, 'pay-1')
  await phone.next('ACK')
  const confirm = (id: string, key: string, amount = 5) => app.inject({
    method: 'POST', url: '/api/rooms/r/events', headers: { authorization: 'Bearer secret', 'idempotency-key': key }, payload: { type: 'PAYMENT_SUCCESS', payload: { amount }, id }
  })
  t.match((await confirm('pay-1', 'k')).json().data, { seq: 2, duplicate: false }, 'an event of a phone does not make the event of a backend with the same id a duplicate')
  t.match((await phone.next('PAYMENT_SUCCESS')), { seq: 2, source: 'api' })
  const room = await app.inject({ url: '/api/rooms/r', headers: { authorization: 'Bearer secret' } })
  t.match(room.json().data.state.outcome, { verified: true })
  t.match((await confirm('pay-1', 'k')).json().data, { seq: 2, duplicate: false }, 'the first answer is repeated')
  t.match((await confirm('pay-1', 'another')).json().data, { seq: 2, duplicate: true })
  t.equal((await confirm('pay-2', 'k')).statusCode, 409)
})
