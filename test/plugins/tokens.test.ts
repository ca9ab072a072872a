// Room tokens on a server that requires them: joining a room, permissions in it, and expiry.
import t, { type Test } from 'tap'
import { build, listen, type BuildOptions } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

const SECRET = 'a secret for tests with 32 bytes and more'
const KEY = { authorization: 'Bearer key' }
const SETTINGS = { API_KEYS: 'key', TOKEN_SECRET: SECRET }

/** A server that requires tokens, with a room and a token for each device. */
async function shop (t: Test, { env, now }: BuildOptions = {}) {
  // Timers of the server do not keep the process alive, and neither does an injected socket.
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(awake))
  const { app, logs } = await build(t, { env: { ...SETTINGS, ...env }, ...(now && { now }) })
  const { roomId, tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: {} })).json().data as { roomId: string, tokens: { device1: string, device2: string } }
  const mint = async (payload: object, room = roomId): Promise<string> =>
    (await app.inject({ method: 'POST', url: `/api/rooms/${room}/tokens`, headers: KEY, payload })).json().data.token
  return { app, logs, roomId, tokens, mint, connect: () => Peer.inject(t, app) }
}

/** Sends a join that is refused. @returns the code of the error, and the close code */
async function refusal (peer: Peer, payload: object): Promise<[string, number]> {
  peer.send('JOIN_ROOM', payload)
  return [(await peer.next('ERROR')).payload.code, await peer.closed]
}

t.test('two devices with their tokens complete a payment as on an open server', async (t) => {
  const { roomId, tokens, connect } = await shop(t)
  const [till, phone] = [await connect(), await connect()]
  till.send('JOIN_ROOM', { roomId, token: tokens.device1, presence: true })
  t.match((await till.next('ROOM_JOINED')).payload, { members: [{ role: 'device1' }] }, 'the role follows from the token')
  phone.send('JOIN_ROOM', { roomId, token: tokens.device2 })
  await phone.next('ROOM_JOINED')
  t.match((await till.next('DEVICE_JOINED')).payload, { role: 'device2' })
  phone.send('PAYMENT_SUCCESS', { roomId, amount: 9 }, 'paid')
  t.match((await till.next('PAYMENT_SUCCESS')).payload, { amount: 9 })
  t.match((await phone.next('ACK')).payload, { seq: 1 })
})

t.test('a join without a valid token is refused, and the answer does not reveal the existence of the room', async (t) => {
  const { app, roomId, tokens, connect } = await shop(t)
  for (const room of [roomId, 'no-such-room']) {
    t.strictSame(await refusal(await connect(), { roomId: room }), ['INVALID_TOKEN', 4500], 'no token')
    t.strictSame(await refusal(await connect(), { roomId: room, token: 'made up' }), ['INVALID_TOKEN', 4500], 'an invented token')
  }
  const other = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'other' } })).json().data.tokens
  for (const room of [roomId, 'no-such-room']) t.strictSame(await refusal(await connect(), { roomId: room, token: other.device1 }), ['FORBIDDEN', 4503], 'a token for another room')
  t.strictSame(await refusal(await connect(), { roomId, token: tokens.device1, role: 'device2' }), ['FORBIDDEN', 4503], 'a token for another role')
  t.equal((await app.inject({ url: '/api/rooms/no-such-room', headers: KEY })).statusCode, 404, 'a refused join creates no room')
  t.equal((await app.inject({ url: '/api/rooms', headers: KEY })).json().data.rooms.length, 2)
})

t.test('a token that names a device admits that device only', async (t) => {
  const { roomId, mint, connect } = await shop(t)
  const token = await mint({ role: 'device2', deviceId: 'phone-7' })
  t.strictSame(await refusal(await connect(), { roomId, token, deviceId: 'phone-8' }), ['FORBIDDEN', 4503])
  const phone = await connect()
  phone.send('JOIN_ROOM', { roomId, token })
  t.equal((await phone.next('ROOM_JOINED')).payload.deviceId, 'phone-7')
  phone.send('CLICKED_PAY', { roomId, deviceId: 'phone-8' }, 'mine')
  t.match((await phone.next('ERROR')).payload, { code: 'FORBIDDEN', id: 'mine' })
  phone.send('CLICKED_PAY', { roomId, deviceId: 'phone-7' }, 'mine')
  await phone.next('ACK')
})

t.test('a join creates no room, and opens no closed or expired room again', async (t) => {
  const { app, roomId, tokens, connect } = await shop(t)
  const till = await connect()
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await till.next('ROOM_JOINED')
  await app.inject({ method: 'DELETE', url: `/api/rooms/${roomId}`, headers: KEY })
  await till.next('ROOM_CLOSED')
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  t.match((await till.next('ERROR')).payload, { code: 'ROOM_CLOSED' }, 'a client with the token receives ROOM_CLOSED')

  let now = 1_795_500_000_000
  const later = await shop(t, { env: { ROOM_RETENTION_SECONDS: '60' }, now: () => now })
  now += 61_000
  const late = await later.connect()
  late.send('JOIN_ROOM', { roomId: later.roomId, token: later.tokens.device2 })
  t.match((await late.next('ERROR')).payload, { code: 'ROOM_NOT_FOUND' })
  t.equal((await later.app.inject({ url: `/api/rooms/${later.roomId}`, headers: KEY })).statusCode, 404)
})

t.test('device 1 may not publish; device 2 has to join before it publishes', async (t) => {
  const { roomId, tokens, connect } = await shop(t)
  const [till, phone] = [await connect(), await connect()]
  phone.send('PAYMENT_SUCCESS', { roomId }, 'early')
  t.match((await phone.next('ERROR')).payload, { code: 'NOT_JOINED', id: 'early' })
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  t.equal((await till.next('ROOM_JOINED')).payload.seq, 0)
  till.send('PAYMENT_SUCCESS', { roomId }, 'false')
  t.match((await till.next('ERROR')).payload, { code: 'FORBIDDEN', id: 'false' })
  phone.send('JOIN_ROOM', { roomId, token: tokens.device2 })
  t.match((await phone.next('ROOM_JOINED')).payload, { seq: 0, state: { status: 'pending' } })
  t.equal(till.socket.readyState, 1, 'the socket stays')
})

t.test('a member that joins another room with a bad token gets an error, and its socket stays open', async (t) => {
  const { app, roomId, tokens, connect } = await shop(t)
  await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'other' } })
  const till = await connect()
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await till.next('ROOM_JOINED')
  for (const [token, code] of [['bad', 'INVALID_TOKEN'], [tokens.device1, 'FORBIDDEN']]) {
    till.send('JOIN_ROOM', { roomId: 'other', token })
    t.equal((await till.next('ERROR')).payload.code, code)
  }
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await till.next('ROOM_JOINED')
  for (let i = 0; i < 9; i++) till.send('JOIN_ROOM', { roomId: `guess-${i}`, token: tokens.device1 })
  t.equal(await till.closed, 4501, 'more than ten refused joins close the socket')
})

t.test('a socket without a join in time is closed with 4502, unless it has shown a valid token', async (t) => {
  let now = 1_795_500_000_000
  const { roomId, tokens, connect } = await shop(t, { env: { JOIN_TIMEOUT_SECONDS: '3', MAX_ROOM_MEMBERS: '1' }, now: () => now })
  const [idle, first, second] = [await connect(), await connect(), await connect()]
  first.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await first.next('ROOM_JOINED')
  second.send('JOIN_ROOM', { roomId, token: tokens.device2 })
  t.match((await second.next('ERROR')).payload, { code: 'ROOM_FULL' })
  now += 2_999
  await idle.settled()
  now += 1
  t.equal(await idle.closed, 4502)
  first.send('LEAVE_ROOM', { roomId })
  await first.next('ROOM_LEFT')
  second.send('JOIN_ROOM', { roomId, token: tokens.device2 })
  await second.next('ROOM_JOINED')
  t.strictSame([first, second].map(({ socket }) => socket.readyState), [1, 1])
})

t.test('a socket is closed with 4005 when its token expires; a join with a fresh token in time keeps it open', async (t) => {
  let now = 1_795_500_000_000
  const { roomId, mint, connect } = await shop(t, { now: () => now })
  const [short, renewed] = [await connect(), await connect()]
  for (const peer of [short, renewed]) {
    peer.send('JOIN_ROOM', { roomId, token: await mint({ role: 'device1', ttlSeconds: 60 }) })
    await peer.next('ROOM_JOINED')
  }
  now += 59_000
  renewed.send('JOIN_ROOM', { roomId, token: await mint({ role: 'device1', ttlSeconds: 60 }) })
  await renewed.next('ROOM_JOINED')
  t.equal(short.socket.readyState, 1)
  now += 1_000
  t.equal(await short.closed, 4005)
  await renewed.settled()
  now += 59_000
  t.equal(await renewed.closed, 4005)
  const late = await connect()
  const token = await mint({ role: 'device2', ttlSeconds: 1 })
  now += 1_000
  t.strictSame(await refusal(late, { roomId, token }), ['TOKEN_EXPIRED', 4005])
})

t.test('a socket in several rooms is closed when the first token of these rooms expires', async (t) => {
  let now = 1_795_500_000_000
  const { app, roomId, mint, connect } = await shop(t, { now: () => now })
  await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'other' } })
  const till = await connect()
  for (const [room, ttlSeconds] of [['other', 30], [roomId, 60]] as const) {
    till.send('JOIN_ROOM', { roomId: room, token: await mint({ role: 'device1', ttlSeconds }, room) })
    await till.next('ROOM_JOINED')
  }
  till.send('LEAVE_ROOM', { roomId: 'other' })
  await till.next('ROOM_LEFT')
  now += 45_000
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await till.settled()
  t.equal(till.socket.readyState, 1, 'the token of a room that the socket has left does not count')
  now += 15_000
  t.equal(await till.closed, 4005)
})

t.test('over REST a token may read the events of its room, and a token of device 2 may publish there; the rest needs a key', async (t) => {
  const { app, roomId, tokens } = await shop(t)
  const ask = (method: 'GET' | 'POST' | 'DELETE', url: string, token: string, payload?: object) =>
    app.inject({ method, url, headers: { authorization: `Bearer ${token}` }, ...(payload && { payload }) })
  const events = `/api/rooms/${roomId}/events`
  t.match((await ask('POST', events, tokens.device2, { type: 'PAYMENT_SUCCESS', payload: { amount: 5 } })).json(), { data: { seq: 1 } })
  for (const token of [tokens.device1, tokens.device2]) t.match((await ask('GET', events, token)).json(), { data: { events: [{ source: 'device', seq: 1 }] } })
  t.equal((await app.inject({ url: `/api/rooms/${roomId}`, headers: KEY })).json().data.state.outcome.verified, false, 'the result of a device is not verified')
  const refused: Array<[number, string, ReturnType<typeof ask>]> = [
    [403, 'publishing as device 1', ask('POST', events, tokens.device1, { type: 'PAYMENT_SUCCESS' })],
    [403, 'reading another room', ask('GET', '/api/rooms/other/events', tokens.device2)],
    [403, 'publishing in another room', ask('POST', '/api/rooms/other/events', tokens.device2, { type: 'CLICKED_PAY' })],
    [403, 'reading the state of the room', ask('GET', `/api/rooms/${roomId}`, tokens.device1)],
    [403, 'listing rooms', ask('GET', '/api/rooms', tokens.device1)],
    [403, 'closing the room', ask('DELETE', `/api/rooms/${roomId}`, tokens.device2)],
    [403, 'minting a token', ask('POST', `/api/rooms/${roomId}/tokens`, tokens.device2, { role: 'device1' })],
    [403, 'a broadcast', ask('POST', `/api/message/room/${roomId}/broadcast`, tokens.device2, { eventType: 'X', message: 'm', idSeguro: 'i' })],
    [401, 'a malformed token', ask('GET', events, 'a.b.c')],
    [401, 'no token', ask('GET', events, 'abc')]
  ]
  for (const [status, request, answer] of refused) t.match([(await answer).statusCode, (await answer).json()], [status, { success: false }], request)
  t.equal((await ask('GET', events, 'a.b.c')).json().code, 'INVALID_TOKEN')
  t.equal((await app.inject({ url: `/api/rooms/${roomId}`, headers: KEY })).json().data.seq, 1)
})

t.test('publishing over REST creates a room for a backend, but not for a device', async (t) => {
  const { app, roomId, tokens } = await shop(t)
  await app.inject({ method: 'DELETE', url: `/api/rooms/${roomId}`, headers: KEY })
  const publish = (authorization: string, room: string) => app.inject({ method: 'POST', url: `/api/rooms/${room}/events`, headers: { authorization }, payload: { type: 'CLICKED_PAY' } })
  t.equal((await publish(`Bearer ${tokens.device2}`, roomId)).statusCode, 410)
  t.equal((await publish('Bearer key', 'new')).statusCode, 201)
  t.equal((await app.inject({ url: '/api/rooms/never/events', headers: { ...KEY, accept: 'text/event-stream' } })).statusCode, 404, 'an event stream creates no room, as a join does not')
})

t.test('an event stream ends when its token expires', async (t) => {
  let now = 1_795_500_000_000
  const { app, port } = await listen(t, { env: SETTINGS, now: () => now })
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r' } })).json().data
  const follow = (token: string) => fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })
  const stream = await follow(tokens.device1)
  t.equal(stream.status, 200)
  await until('the stream is open', () => app.sessions.size === 1)
  now += 900_000
  t.match(await stream.text(), /^: heartbeat 25000\nretry: 2000\n\ndata: \{"type":"ROOM_JOINED"/)
  t.equal((await follow(tokens.device1)).status, 401)
})

t.test('a backend mints tokens for existing rooms, with the role and lifetime of the request', async (t) => {
  const now = 1_795_500_000_000
  const { app, roomId } = await shop(t, { env: { TOKEN_TTL_SECONDS: '120' }, now: () => now })
  const mint = (payload: object, room = roomId) => app.inject({ method: 'POST', url: `/api/rooms/${room}/tokens`, headers: KEY, payload })
  t.match((await mint({ role: 'device1' })).json(), { success: true, data: { token: /^[\w-]+\.[\w-]+\.[\w-]+$/, expiresAt: now + 120_000 } })
  t.equal((await mint({ role: 'device2', ttlSeconds: 5 })).json().data.expiresAt, now + 5_000)
  t.match([(await mint({ role: 'device1' }, 'none')).statusCode, (await mint({ role: 'device3' })).statusCode, (await mint({})).statusCode], [404, 400, 400])
  t.match([(await mint({ role: 'device1', ttlSeconds: 0 })).statusCode, (await mint({ role: 'device1', deviceId: '\u0007' })).statusCode], [400, 400])
})

t.test('a server without TOKEN_SECRET mints no tokens, admits every client, and logs a warning', async (t) => {
  const { app, logs } = await build(t, { env: { API_KEYS: 'key' } })
  const created = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r' } })).json().data
  t.notOk('tokens' in created)
  t.match((await app.inject({ method: 'POST', url: '/api/rooms/r/tokens', headers: KEY, payload: { role: 'device1' } })).json(), { code: 'NOT_FOUND', error: /TOKEN_SECRET/ })
  t.equal((await app.inject({ url: '/api/rooms/r/events', headers: { authorization: 'Bearer a.b.c' } })).json().code, 'UNAUTHORIZED')
  const peer = await Peer.inject(t, app)
  peer.send('JOIN_ROOM', { roomId: 'r', token: 'whatever' })
  await peer.next('ROOM_JOINED')
  t.ok(logs.some(({ level, msg }) => level === 40 && /rooms are open.*TOKEN_SECRET/.test(msg)))
})

t.test('neither a token nor a secret is logged', async (t) => {
  const { logs, roomId, tokens, connect } = await shop(t)
  const peer = await connect()
  peer.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await peer.next('ROOM_JOINED')
  t.notOk(logs.some(({ msg }) => /rooms are open/.test(msg)))
  for (const secret of [tokens.device1, tokens.device2, SECRET, 'Bearer']) t.notOk(JSON.stringify(logs).includes(secret))
})
