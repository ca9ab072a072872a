// Extensions of the protocol except recover and presence: acknowledgement, state, roles, leaving, pinging, closed rooms.
import t from 'tap'
import { INBOX_SIZE } from '../../src/sessions/inbox.js'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'
import { nextHandle } from '../websocket/accepted.js'
import { until } from '../until.js'

t.test('an event with an id is acknowledged, and its duplicate is not published again', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  const { payload: { epoch } } = await shop.join('r')

  phone.send('CLICKED_PAY', { roomId: 'r' }, 'a')
  t.strictSame((await phone.next('ACK')).payload, { id: 'a', roomId: 'r', epoch, seq: 1, duplicate: false })
  phone.send('CLICKED_PAY', { roomId: 'r' }, 'a')
  t.strictSame((await phone.next('ACK')).payload, { id: 'a', roomId: 'r', epoch, seq: 1, duplicate: true })
  phone.send('CLICKED_PAY', { roomId: 'r', note: 'another body' }, 'a')
  t.match((await phone.next('ERROR')).payload, { code: 'ID_CONFLICT', id: 'a', retryable: false })

  const tablet = await Peer.inject(t, app)
  tablet.send('CLICKED_PAY', { roomId: 'r' }, 'a')
  t.match((await tablet.next('ACK')).payload, { seq: 1, duplicate: true }, 'the duplicate is recognised from another socket, as after a reconnect')
  tablet.send('CLICKED_PAY', { roomId: 'other' }, 'a')
  t.match((await tablet.next('ACK')).payload, { roomId: 'other', seq: 1, duplicate: false }, 'an id belongs to its room')

  phone.send('CLICKED_PROCEED', { roomId: 'r' })
  await phone.settled()
  await shop.settled()
  t.strictSame(shop.events.map(({ type, id }) => [type, id]), [['CLICKED_PAY', 'a'], ['CLICKED_PROCEED', undefined]])
  t.equal(phone.frames.filter(({ type }) => type === 'ACK').length, 2, 'an event without an id gets no ACK')
})

t.test('ROOM_JOINED holds the state of the payment that results from the log', async (t) => {
  const { app } = await build(t, { now: () => 7 })
  const phone = await Peer.inject(t, app)
  const shop = await Peer.inject(t, app)
  const state = async () => (await shop.join('r')).payload.state
  t.strictSame(await state(), { step: null, status: 'pending', attempt: 1, updatedAt: 7 })
  phone.send('PAYMENT_METHOD_CHANGED', { roomId: 'r', method: 'pix' })
  phone.send('DATA_FILLED', { roomId: 'r', fields: ['name'] })
  phone.send('PAYMENT_ERROR', { roomId: 'r', error: 'declined', code: '51' })
  await phone.settled()
  t.strictSame(await state(), {
    step: 'DATA_FILLED', method: 'pix', fields: ['name'], status: 'failed', attempt: 1, outcome: { error: 'declined', code: '51', verified: false }, updatedAt: 7
  })
  phone.send('PAYMENT_SUCCESS', { roomId: 'r', transactionId: 'tx', amount: 5, currency: 'BRL' })
  phone.send('PAYMENT_ERROR', { roomId: 'r', error: 'too late' })
  await phone.settled()
  t.match(await state(), { status: 'succeeded', outcome: { transactionId: 'tx', amount: 5, currency: 'BRL', verified: false } })
})

t.test('LEAVE_ROOM ends the membership of one room, and PING is answered with PONG', async (t) => {
  const { app } = await build(t, { now: () => 4 })
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('a')
  await shop.join('b')
  shop.send('LEAVE_ROOM', { roomId: 'a' })
  t.strictSame((await shop.next('ROOM_LEFT')).payload, { roomId: 'a', timestamp: 4 })
  shop.send('LEAVE_ROOM', { roomId: 'a' }, 'again')
  t.match((await shop.next('ERROR')).payload, { code: 'NOT_JOINED', id: 'again' })
  phone.send('CLICKED_PAY', { roomId: 'a' })
  phone.send('CLICKED_PAY', { roomId: 'b' })
  await phone.settled()
  t.strictSame(shop.events.map(({ payload }) => payload.roomId), ['b'])
  shop.socket.send('{"type":"PING"}')
  t.strictSame((await shop.next('PONG')).payload, { timestamp: 4 })
})

t.test('the role of a member is the given one, or follows from its first frame', async (t) => {
  const { app } = await build(t)
  const peers = await Promise.all([1, 2, 3].map(() => Peer.inject(t, app)))
  peers[0]!.send('JOIN_ROOM', { roomId: 'r', role: 'device2' })
  await peers[0]!.next('ROOM_JOINED')
  await peers[1]!.join('r')
  peers[2]!.send('CLICKED_PAY', { roomId: 'r' })
  await peers[2]!.settled()
  t.strictSame(app.rooms.members('r').map(({ role }) => role), ['device2', 'device1', 'device2'])
  peers[0]!.send('JOIN_ROOM', { roomId: 'r', role: 'device3' })
  t.match((await peers[0]!.next('ERROR')).payload, { code: 'INVALID_FRAME', message: 'payload.role: expected one of device1, device2' })
})

t.test('members of a room that a backend closes receive ROOM_CLOSED, and late events do not open the room again', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('r')
  await shop.join('other')
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  t.equal((await app.inject({ method: 'DELETE', url: '/api/rooms/r' })).statusCode, 204)
  for (const peer of [shop, phone]) t.match((await peer.next('ROOM_CLOSED')).payload, { roomId: 'r', reason: 'closed', timestamp: Number })
  phone.send('CLICKED_PAY', { roomId: 'r' }, 'late')
  t.match((await phone.next('ERROR')).payload, { code: 'ROOM_CLOSED', id: 'late', retryable: false })
  shop.send('JOIN_ROOM', { roomId: 'r' })
  t.match((await shop.next('ERROR')).payload, { code: 'ROOM_CLOSED' })
  t.equal(app.rooms.size, 1, 'the other room stays open')
})

t.test('at its deadline a room tells its members and refuses devices; after the time for late results it is closed with the reason expired', async (t) => {
  let time = 0
  const { app } = await build(t, { now: () => time, env: { LATE_RESULTS_SECONDS: '100' } })
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r', ttlSeconds: 60 } })
  const shop = await Peer.inject(t, app)
  await shop.join('r')
  time = 60_000
  const phone = await Peer.inject(t, app)
  phone.send('CLICKED_PAY', { roomId: 'r' })
  t.match((await phone.next('ERROR')).payload, { code: 'ROOM_CLOSED', message: 'The payment link has expired.', retryable: false })
  t.match(await shop.next('PAYMENT_EXPIRED'), { seq: 1, source: 'server', payload: { roomId: 'r' } })
  t.match((await phone.join('r')).payload.state, { status: 'expired' })
  time = 160_000
  t.equal((await app.inject('/api/rooms/r')).statusCode, 410)
  t.match((await shop.next('ROOM_CLOSED')).payload, { roomId: 'r', reason: 'expired' })
})

t.test('with RESULTS_FROM=backend a result of a device is refused, and a result of a backend is verified', async (t) => {
  const { app } = await build(t, { env: { RESULTS_FROM: 'backend', API_KEYS: 'secret' } })
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('r')
  for (const type of ['PAYMENT_SUCCESS', 'PAYMENT_ERROR']) {
    phone.send(type, { roomId: 'r' })
    t.match((await phone.next('ERROR')).payload, { code: 'FORBIDDEN', retryable: false })
  }
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await shop.next('CLICKED_PAY')
  const answer = await app.inject({
    method: 'POST', url: '/api/rooms/r/events', headers: { authorization: 'Bearer secret' }, payload: { type: 'PAYMENT_SUCCESS', payload: { amount: 5 } }
  })
  t.equal(answer.statusCode, 201)
  t.match(await shop.next('PAYMENT_SUCCESS'), { seq: 2, source: 'api', payload: { roomId: 'r', amount: 5 } })
  t.match((await shop.join('r')).payload.state, { status: 'succeeded', outcome: { amount: 5, verified: true } })
})

t.test('a socket with a full inbox is not read until its frames are handled, and no frame is lost', async (t) => {
  const { app, url } = await listen(t)
  const accepted = nextHandle(app.server)
  const peer = await Peer.connect(t, url)
  const handle = await accepted
  const publish = app.broker.publish.bind(app.broker)
  let release = (_: unknown): void => {}
  const held = new Promise((resolve) => { release = resolve })
  app.broker.publish = async (...args) => {
    await held
    return publish(...args)
  }
  const total = INBOX_SIZE * 20
  for (let i = 0; i < total; i++) peer.send('CLICKED_PAY', { roomId: 'r', i }, `n${i}`)
  await until('the server stopped reading', () => handle.reading === false)
  release(undefined)
  await peer.settled()
  t.strictSame(peer.frames.filter(({ type }) => type === 'ACK').map(({ payload }) => payload.seq), Array.from({ length: total }, (_, i) => i + 1))
})
