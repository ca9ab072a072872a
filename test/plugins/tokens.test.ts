// Where tokens are asked for: who comes into a room, what they may do there, and for how long.
import t, { type Test } from 'tap'
import { build, listen, type BuildOptions } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

const SECRET = 'a secret for tests with 32 bytes and more'
const KEY = { authorization: 'Bearer key' }
const SETTINGS = { API_KEYS: 'key', TOKEN_SECRET: SECRET }

/** A server that asks for tokens, with a room on it and a token for each device. */
async function shop (t: Test, { env, now }: BuildOptions = {}) {
  // The server's own timers keep no process waiting, and an injected socket does neither.
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(awake))
  const { app, logs } = await build(t, { env: { ...SETTINGS, ...env }, ...(now && { now }) })
  const { roomId, tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: {} })).json().data as { roomId: string, tokens: { device1: string, device2: string } }
  const mint = async (payload: object, room = roomId): Promise<string> =>
    (await app.inject({ method: 'POST', url: `/api/rooms/${room}/tokens`, headers: KEY, payload })).json().data.token
  return { app, logs, roomId, tokens, mint, connect: () => Peer.inject(t, app) }
}

/** What a join that is refused is told, and how the socket ends. */
async function refusal (peer: Peer, payload: object): Promise<[string, number]> {
  peer.send('JOIN_ROOM', payload)
  return [(await peer.next('ERROR')).payload.code, await peer.closed]
}

t.test('two devices with their tokens pay as on an open server', async (t) => {
  const { roomId, tokens, connect } = await shop(t)
  const [till, phone] = [await connect(), await connect()]
  till.send('JOIN_ROOM', { roomId, token: tokens.device1, presence: true })
  t.match((await till.next('ROOM_JOINED')).payload, { members: [{ role: 'device1' }] }, 'the role need not be said')
  phone.send('JOIN_ROOM', { roomId, token: tokens.device2 })
  await phone.next('ROOM_JOINED')
  t.match((await till.next('DEVICE_JOINED')).payload, { role: 'device2' })
  phone.send('PAYMENT_SUCCESS', { roomId, amount: 9 }, 'paid')
  t.match((await till.next('PAYMENT_SUCCESS')).payload, { amount: 9 })
  t.match((await phone.next('ACK')).payload, { seq: 1 })
})

t.test('without a good token nobody comes in, and the answer does not tell whether there is such a room', async (t) => {
  const { app, roomId, tokens, connect } = await shop(t)
  for (const room of [roomId, 'no-such-room']) {
    t.strictSame(await refusal(await connect(), { roomId: room }), ['INVALID_TOKEN', 4500], 'none')
    t.strictSame(await refusal(await connect(), { roomId: room, token: 'made up' }), ['INVALID_TOKEN', 4500], 'made up')
  }
  const other = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'other' } })).json().data.tokens
  for (const room of [roomId, 'no-such-room']) t.strictSame(await refusal(await connect(), { roomId: room, token: other.device1 }), ['FORBIDDEN', 4503], 'another room\'s')
  t.strictSame(await refusal(await connect(), { roomId, token: tokens.device1, role: 'device2' }), ['FORBIDDEN', 4503], 'another role\'s')
  t.equal((await app.inject({ url: '/api/rooms/no-such-room', headers: KEY })).statusCode, 404, 'nothing was created by trying')
  t.equal((await app.inject({ url: '/api/rooms', headers: KEY })).json().data.rooms.length, 2)
})

t.test('a token for a device lets in that device, under its name', async (t) => {
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

t.test('nobody creates a room by joining, and a room that is over stays over', async (t) => {
  const { app, roomId, tokens, connect } = await shop(t)
  const till = await connect()
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await till.next('ROOM_JOINED')
  await app.inject({ method: 'DELETE', url: `/api/rooms/${roomId}`, headers: KEY })
  await till.next('ROOM_CLOSED')
  till.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  t.match((await till.next('ERROR')).payload, { code: 'ROOM_CLOSED' }, 'who has the token is told')

  let now = 1_795_500_000_000
  const later = await shop(t, { env: { ROOM_RETENTION_SECONDS: '60' }, now: () => now })
  now += 61_000
  const late = await later.connect()
  late.send('JOIN_ROOM', { roomId: later.roomId, token: later.tokens.device2 })
  t.match((await late.next('ERROR')).payload, { code: 'ROOM_NOT_FOUND' })
  t.equal((await later.app.inject({ url: `/api/rooms/${later.roomId}`, headers: KEY })).statusCode, 404)
})

t.test('device 1 watches and reports nothing; device 2 joins before it sends', async (t) => {
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

t.test('who is in a room already is told of a bad token, and stays', async (t) => {
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
  t.equal(await till.closed, 4501, 'but it does not go on guessing')
})

t.test('a socket that does not join in time is closed; one with a good token has done its part', async (t) => {
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

t.test('a socket ends with its token; a fresh one in time keeps it', async (t) => {
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

t.test('a socket in several rooms ends with the first token that does', async (t) => {
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
  t.equal(till.socket.readyState, 1, 'of the rooms that it is in')
  now += 15_000
  t.equal(await till.closed, 4005)
})

t.test('over REST a token reads its room, and device 2 publishes there; the rest of the API is for backends', async (t) => {
  const { app, roomId, tokens } = await shop(t)
  const ask = (method: 'GET' | 'POST' | 'DELETE', url: string, token: string, payload?: object) =>
    app.inject({ method, url, headers: { authorization: `Bearer ${token}` }, ...(payload && { payload }) })
  const events = `/api/rooms/${roomId}/events`
  t.match((await ask('POST', events, tokens.device2, { type: 'PAYMENT_SUCCESS', payload: { amount: 5 } })).json(), { data: { seq: 1 } })
  for (const token of [tokens.device1, tokens.device2]) t.match((await ask('GET', events, token)).json(), { data: { events: [{ source: 'device', seq: 1 }] } })
  t.equal((await app.inject({ url: `/api/rooms/${roomId}`, headers: KEY })).json().data.state.outcome.verified, false, 'a device\'s word')
  const refused: Array<[number, string, ReturnType<typeof ask>]> = [
    [403, 'device 1 publishes nothing', ask('POST', events, tokens.device1, { type: 'PAYMENT_SUCCESS' })],
    [403, 'another room', ask('GET', '/api/rooms/other/events', tokens.device2)],
    [403, 'another room', ask('POST', '/api/rooms/other/events', tokens.device2, { type: 'CLICKED_PAY' })],
    [403, 'looking in', ask('GET', `/api/rooms/${roomId}`, tokens.device1)],
    [403, 'the list', ask('GET', '/api/rooms', tokens.device1)],
    [403, 'closing', ask('DELETE', `/api/rooms/${roomId}`, tokens.device2)],
    [403, 'minting', ask('POST', `/api/rooms/${roomId}/tokens`, tokens.device2, { role: 'device1' })],
    [403, 'a broadcast', ask('POST', `/api/message/room/${roomId}/broadcast`, tokens.device2, { eventType: 'X', message: 'm', idSeguro: 'i' })],
    [401, 'a token that is none', ask('GET', events, 'a.b.c')],
    [401, 'no token', ask('GET', events, 'abc')]
  ]
  for (const [status, what, answer] of refused) t.match([(await answer).statusCode, (await answer).json()], [status, { success: false }], what)
  t.equal((await ask('GET', events, 'a.b.c')).json().code, 'INVALID_TOKEN')
  t.equal((await app.inject({ url: `/api/rooms/${roomId}`, headers: KEY })).json().data.seq, 1)
})

t.test('a device does not create a room over REST; a backend does', async (t) => {
  const { app, roomId, tokens } = await shop(t)
  await app.inject({ method: 'DELETE', url: `/api/rooms/${roomId}`, headers: KEY })
  const publish = (authorization: string, room: string) => app.inject({ method: 'POST', url: `/api/rooms/${room}/events`, headers: { authorization }, payload: { type: 'CLICKED_PAY' } })
  t.equal((await publish(`Bearer ${tokens.device2}`, roomId)).statusCode, 410)
  t.equal((await publish('Bearer key', 'new')).statusCode, 201)
  t.equal((await app.inject({ url: '/api/rooms/never/events', headers: { ...KEY, accept: 'text/event-stream' } })).statusCode, 404, 'a stream is a join')
})

t.test('an event stream ends with its token', async (t) => {
  let now = 1_795_500_000_000
  const { app, port } = await listen(t, { env: SETTINGS, now: () => now })
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r' } })).json().data
  const follow = (token: string) => fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })
  const stream = await follow(tokens.device1)
  t.equal(stream.status, 200)
  await until('the stream is open', () => app.sessions.size === 1)
  now += 900_000
  t.match(await stream.text(), /^retry: 2000\n\ndata: \{"type":"ROOM_JOINED"/)
  t.equal((await follow(tokens.device1)).status, 401)
})

t.test('tokens are minted for rooms that there are, by whoever may, as asked', async (t) => {
  const now = 1_795_500_000_000
  const { app, roomId } = await shop(t, { env: { TOKEN_TTL_SECONDS: '120' }, now: () => now })
  const mint = (payload: object, room = roomId) => app.inject({ method: 'POST', url: `/api/rooms/${room}/tokens`, headers: KEY, payload })
  t.match((await mint({ role: 'device1' })).json(), { success: true, data: { token: /^[\w-]+\.[\w-]+\.[\w-]+$/, expiresAt: now + 120_000 } })
  t.equal((await mint({ role: 'device2', ttlSeconds: 5 })).json().data.expiresAt, now + 5_000)
  t.match([(await mint({ role: 'device1' }, 'none')).statusCode, (await mint({ role: 'device3' })).statusCode, (await mint({})).statusCode], [404, 400, 400])
  t.match([(await mint({ role: 'device1', ttlSeconds: 0 })).statusCode, (await mint({ role: 'device1', deviceId: '\u0007' })).statusCode], [400, 400])
})

t.test('a server without a secret mints none, takes whoever comes, and says so', async (t) => {
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

t.test('no token is logged, and no secret', async (t) => {
  const { logs, roomId, tokens, connect } = await shop(t)
  const peer = await connect()
  peer.send('JOIN_ROOM', { roomId, token: tokens.device1 })
  await peer.next('ROOM_JOINED')
  t.notOk(logs.some(({ msg }) => /rooms are open/.test(msg)))
  for (const secret of [tokens.device1, tokens.device2, SECRET, 'Bearer']) t.notOk(JSON.stringify(logs).includes(secret))
})
