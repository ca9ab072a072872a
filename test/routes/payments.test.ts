// Payments over REST: what a provider's results look like, the terms of a link, and the state alone.
import t from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'

const KEY = { authorization: 'Bearer key' }
const SECRET = 'a secret that has thirty-two bytes or more'

/** Starts a server, and returns a function that publishes an event with an API key. */
async function start (t: Parameters<typeof build>[0], options: Parameters<typeof build>[1] = {}) {
  const { app } = await build(t, { ...options, env: { API_KEYS: 'key', ...options.env } })
  const publish = (type: string, payload: object | string = {}, id?: string) => app.inject({
    method: 'POST',
    url: '/api/rooms/r/events',
    headers: { ...KEY, 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? `{"type":"${type}","payload":${payload}${id === undefined ? '' : `,"id":"${id}"`}}` : JSON.stringify({ type, payload, id })
  })
  const state = async () => (await app.inject({ url: '/api/rooms/r/state', headers: KEY })).json().data.state
  const patch = (payload: object, roomId = 'r') => app.inject({ method: 'PATCH', url: `/api/rooms/${roomId}`, headers: KEY, payload })
  return { app, publish, state, patch }
}

t.test('a result as providers send it is taken: an integer id, decimal text, a lower-case currency', async (t) => {
  const { publish, state } = await start(t)
  t.equal((await publish('PAYMENT_SUCCESS', { transactionId: 1312345678, amount: '99.90', currency: 'brl' })).statusCode, 201)
  t.match(await state(), { status: 'succeeded', outcome: { transactionId: '1312345678', amount: 99.9, currency: 'BRL', verified: true } })
})

t.test('a body with a number that cannot be carried exactly is refused', async (t) => {
  const { app, publish } = await start(t)
  for (const orderId of ['576461413038785752', '576461413038785753']) {
    const answer = await publish('CLICKED_PAY', `{"orderId":${orderId}}`, 'one id')
    t.equal(answer.statusCode, 400)
    t.match(answer.json(), { code: 'INVALID_FRAME', error: 'payload.orderId: this number cannot be carried exactly; send it as text' })
  }
  t.equal((await app.inject({ url: '/api/rooms/r', headers: KEY })).statusCode, 404, 'nothing was logged')
})

t.test('money that its currency does not have is refused with the rule', async (t) => {
  const { app, publish } = await start(t)
  for (const [payload, rule] of [
    [{ amount: 500.5, currency: 'JPY' }, /payload\.amount: expected at most 0 decimals, as JPY has/], [{ amount: '10.5555', currency: 'KWD' }, /at most 3 decimals/], [{ amount: 1, currency: 'ABC' }, /payload\.currency: .*ISO 4217/]
  ] as const) {
    const answer = await publish('PAYMENT_SUCCESS', payload)
    t.equal(answer.statusCode, 400)
    t.match(answer.json().error, rule)
  }
  for (const [payload, key] of [[{ amount: 'x', currency: 'BRL' }, 'amount'], [{ amount: 5 }, 'currency'], [{ amount: 5.5, currency: 'JPY' }, 'amount'], [{ currency: 'ABC' }, 'currency']] as const) {
    const answer = await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload })
    t.equal(answer.statusCode, 400)
    t.match(answer.json(), { code: 'INVALID_REQUEST', details: [{ key }] })
    t.notMatch(answer.body, /anyOf/)
  }
})

t.test('a verified error, another try, and a claimed success', async (t) => {
  const { app, publish, state } = await start(t)
  const phone = await Peer.inject(t, app)
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  await publish('PAYMENT_ERROR', { error: 'declined' })
  t.match(await state(), { status: 'failed', attempt: 1 })
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  t.match(await state(), { status: 'pending', attempt: 2, lastError: { error: 'declined', verified: true } })
  phone.send('PAYMENT_SUCCESS', { roomId: 'r', amount: 5 })
  await phone.settled()
  t.match(await state(), { status: 'succeeded', attempt: 2, outcome: { verified: false } })
})

t.test('verified results in any order end in the same status', async (t) => {
  for (const types of [['PAYMENT_ERROR', 'PAYMENT_SUCCESS'], ['PAYMENT_SUCCESS', 'PAYMENT_ERROR']]) {
    const { publish, state } = await start(t)
    for (const type of types) t.equal((await publish(type)).statusCode, 201)
    t.match(await state(), { status: 'succeeded' }, types.join(', '))
  }
  const { publish, state } = await start(t)
  for (const type of ['PAYMENT_REFUNDED', 'PAYMENT_SUCCESS']) await publish(type, { amount: 5, currency: 'BRL' })
  t.match(await state(), { status: 'refunded', paid: 5, refunded: 5 })
})

t.test('the events of a backend are for a backend', async (t) => {
  const { app } = await start(t)
  const phone = await Peer.inject(t, app)
  for (const type of ['PAYMENT_PENDING', 'PAYMENT_CANCELLED', 'PAYMENT_REFUNDED', 'PAYMENT_DISPUTED', 'PAYMENT_EXPIRED', 'LINK_UPDATED']) {
    phone.send(type, { roomId: 'r' }, type)
    t.match((await phone.next('ERROR')).payload, { code: 'FORBIDDEN', id: type })
    const broadcast = { eventType: type, message: 'm', idSeguro: 'i' }
    t.equal((await app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', headers: KEY, payload: broadcast })).statusCode, 400, `${type} as a broadcast`)
  }
  const open = (await build(t)).app
  t.equal((await open.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'PAYMENT_REFUNDED' } })).statusCode, 403, 'no caller of an open server is a backend')
})

t.test('a result that comes after the deadline reaches the shop that is still there', async (t) => {
  let time = 1_000_000
  const { app, publish, state, patch } = await start(t, { now: () => time })
  const created = await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r', ttlSeconds: 60, amount: '99.90', currency: 'BRL', reference: 'order 1' } })
  t.equal(created.json().data.expiresAt, 1_060_000)
  const shop = await Peer.inject(t, app)
  t.match((await shop.join('r')).payload.state, { expected: 99.9, currency: 'BRL', paid: 0, balance: 'none' })
  time += 61_000
  t.match(await state(), { status: 'expired' })
  t.equal((await publish('PAYMENT_SUCCESS', { amount: '99.90', currency: 'BRL' })).statusCode, 201)
  t.match(await shop.next('PAYMENT_SUCCESS'), { source: 'api' })
  t.match(await state(), { status: 'succeeded', balance: 'exact', outcome: { late: true } })
  t.equal((await patch({ reference: 'order 1b' })).statusCode, 200)
  for (const reference of ['order 1', 'order 1b']) t.equal(await app.broker.roomNamed(reference), 'r', reference)
  await patch({ reference: 'order 1' })
  t.match((await patch({ description: 'Two books' })).json().data, { reference: 'order 1', description: 'Two books', expiresAt: 1_060_000 })
})

t.test('a change of the link is told to its members, and extends a link that has expired', async (t) => {
  let time = 1_000_000
  const { app, state, patch } = await start(t, { now: () => time })
  await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r', ttlSeconds: 60 } })
  const [shop, phone] = [await Peer.inject(t, app), await Peer.inject(t, app)]
  await shop.join('r')
  time += 61_000
  phone.send('CLICKED_PAY', { roomId: 'r' })
  t.match((await phone.next('ERROR')).payload, { code: 'ROOM_CLOSED' })
  const answer = await patch({ ttlSeconds: 60, amount: 10, currency: 'BRL' })
  t.equal(answer.statusCode, 200)
  t.match(answer.json().data, { expiresAt: 1_121_000, state: { status: 'pending', expected: 10 } })
  t.match(await shop.next('LINK_UPDATED'), { source: 'server', payload: { roomId: 'r', amount: 10, currency: 'BRL', expiresAt: 1_121_000 } })
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  t.match(await state(), { step: 'CLICKED_PAY' })
  for (const body of [{}, { ttlSeconds: 0 }, { amount: 5 }, { other: 1 }]) t.equal((await patch(body)).statusCode, 400, JSON.stringify(body))
  t.equal((await patch({ ttlSeconds: 5 }, 'missing')).statusCode, 404)
})

t.test('the state alone is for an API key, and for the room tokens of both devices', async (t) => {
  const { app } = await start(t, { env: { TOKEN_SECRET: SECRET } })
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r' } })).json().data
  await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'other' } })
  const get = (token?: string, roomId = 'r') => app.inject({ url: `/api/rooms/${roomId}/state`, ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }) })
  for (const token of ['key', tokens.device1, tokens.device2]) t.match((await get(token)).json().data, { roomId: 'r', seq: 0, state: { status: 'pending', attempt: 1 } })
  t.equal((await get()).statusCode, 401)
  t.equal((await get(tokens.device1, 'other')).statusCode, 403)
})

t.test('payers never take the seats of the shop', async (t) => {
  const { app } = await start(t)
  const payers = await Promise.all(Array.from({ length: 50 }, () => Peer.inject(t, app)))
  for (const payer of payers) payer.send('CLICKED_PAY', { roomId: 'r' }, 'x')
  await Promise.all(payers.map((payer) => payer.settled()))
  t.equal(payers.filter(({ frames }) => frames.some(({ type, payload }) => type === 'ERROR' && payload.code === 'ROOM_FULL')).length, 10)
  const shop = await Peer.inject(t, app)
  t.equal((await shop.join('r')).payload.roomId, 'r')
})
