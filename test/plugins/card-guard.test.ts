// Card data is refused at every input, and none of it is repeated or logged.
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'

const CARD = '4111111111111111'
const SPACED = '4111 1111 1111 1111'
// Timestamps may hold the first digits of the card number.
const LEAK = /4111.?1111/
const BROADCAST = { eventType: 'PAYMENT_UPDATE', message: 'paid', idSeguro: 'seguro_1' }
const broadcast = (body: object, headers: Record<string, string> = {}): InjectOptions => ({ method: 'POST', url: '/api/message/room/room/broadcast', headers, body })
const publish = (body: object, headers: Record<string, string> = {}): InjectOptions => ({ method: 'POST', url: '/api/rooms/room/events', headers, body })
const paid = (payload: object) => ({ type: 'PAYMENT_SUCCESS', payload })
const NUMBER = 'contains what looks like a card number, which is not accepted'
const NAME = 'names card data, which is not accepted'

/** Requests for every place of the REST API that takes text of a client, each with the key that the answer names. */
const REQUESTS: Array<[InjectOptions, string, string?]> = [
  [broadcast({ ...BROADCAST, message: `card ${SPACED}` }), 'message'],
  [broadcast({ ...BROADCAST, idSeguro: CARD }), 'idSeguro'],
  [broadcast({ ...BROADCAST, eventType: CARD }), 'eventType'],
  [broadcast({ ...BROADCAST, extra: { cvv: '123' } }), 'extra.cvv', NAME],
  [broadcast({ ...BROADCAST, [CARD]: 1 }), '[hidden]'],
  [broadcast(BROADCAST, { 'idempotency-key': CARD }), 'idempotency-key'],
  [{ ...broadcast(BROADCAST), url: `/api/message/room/${CARD}/broadcast` }, 'roomId'],
  [publish(paid({ transactionId: CARD })), 'payload.transactionId'],
  [publish(paid({ cardNumber: 1 })), 'payload.cardNumber', NAME],
  [publish({ ...paid({}), id: SPACED }), 'id'],
  [publish({ ...paid({}), extra: Number(CARD) }), 'extra'],
  [publish(paid({}), { 'idempotency-key': `key ${SPACED}` }), 'idempotency-key'],
  [{ method: 'POST', url: '/api/rooms', body: { roomId: CARD } }, 'roomId'],
  [{ method: 'GET', url: `/api/rooms/${CARD}` }, 'roomId'],
  [{ method: 'DELETE', url: '/api/rooms/4111-1111-1111-1111' }, 'roomId'],
  [{ method: 'GET', url: `/api/rooms/${CARD}/events` }, 'roomId'],
  [{ method: 'GET', url: `/api/rooms/room/events?deviceId=${SPACED.replaceAll(' ', '+')}`, headers: { accept: 'text/event-stream' } }, 'deviceId'],
  [{ method: 'GET', url: `/api/rooms/room/events?since=${CARD}` }, 'since'],
  [{ method: 'GET', url: `/api/rooms/room/events?epoch=${CARD}` }, 'epoch'],
  [{ method: 'GET', url: '/api/rooms/room/events', headers: { accept: 'text/event-stream', 'last-event-id': `${CARD}:1` } }, 'last-event-id'],
  [{ method: 'GET', url: '/api/rooms?cvv=123' }, 'cvv', NAME]
]

t.test('card data is refused in every part of a request, and is not repeated, logged or published', async (t) => {
  const { app, logs } = await build(t, { env: { LOG_LEVEL: 'trace' } })
  const shop = await Peer.inject(t, app)
  await shop.join('room')
  for (const [request, key, rule = NUMBER] of REQUESTS) {
    const answer = await app.inject(request)
    t.equal(answer.statusCode, 400, `${request.method} ${key}`)
    t.match(answer.json(), { success: false, code: 'SENSITIVE_DATA', error: `${key}: ${rule}`, details: [{ key, rule }] })
    t.notMatch(answer.body, LEAK)
  }
  await shop.settled()
  t.strictSame(shop.events, [])
  t.notMatch(JSON.stringify(logs), LEAK)
})

t.test('other invalid values of a request are not repeated either', async (t) => {
  const { app, logs } = await build(t, { env: { LOG_LEVEL: 'trace' } })
  for (const request of [
    broadcast({ eventType: CARD, message: '' }), broadcast({ ...BROADCAST, message: CARD.repeat(200) }), broadcast({ ...BROADCAST, idSeguro: Number(CARD) }),
    publish({ type: CARD }), publish({ ...paid({}), id: `${CARD}\n` }), { method: 'POST', url: '/api/rooms', body: { ttlSeconds: Number(CARD) } },
    { method: 'POST', url: '/api/rooms', headers: { 'content-type': 'application/json' }, body: `{"roomId":"${CARD}"` }, { method: 'POST', url: '/api/rooms', headers: { 'content-type': CARD }, body: CARD },
    { method: 'GET', url: `/api/rooms/${SPACED.replaceAll(' ', '%20')}` }, { method: 'GET', url: `/api/rooms?cursor=x${CARD}` }, { method: 'GET', url: `/api/${CARD}` }, { method: 'GET', url: `/${CARD}` },
    { method: 'GET', url: `/api/rooms/${CARD.repeat(30)}` }, { method: 'GET', url: `/api/rooms/%E0%A4%A${CARD}` }, { method: 'GET', url: `/api/rooms/room/events?role=${CARD}` }
  ] as InjectOptions[]) {
    const answer = await app.inject(request)
    t.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${request.method} ${JSON.stringify(request.url)}: ${answer.statusCode}`)
    t.notMatch(answer.body, LEAK)
  }
  t.notMatch(JSON.stringify(logs), LEAK)
})

t.test('a request body has the depth limit of a frame', async (t) => {
  const { app } = await build(t)
  t.match((await app.inject({ method: 'POST', url: '/api/rooms', body: { extra: [[[[[[[[]]]]]]]] } })).json(), { code: 'TOO_DEEP' })
})

t.test('ids that are no card numbers are accepted, and card fields may be named in a list', async (t) => {
  const { app } = await build(t)
  const uuid = '41111111-1111-4111-8111-111111111111'
  t.equal((await app.inject({ method: 'POST', url: '/api/rooms', body: { roomId: uuid } })).statusCode, 201)
  t.equal((await app.inject({ ...publish({ type: 'DATA_FILLED', payload: { fields: ['cvv', 'cardNumber'] }, id: uuid }, { 'idempotency-key': '1705312200000' }) })).statusCode, 201)
  t.equal((await app.inject({ ...broadcast(BROADCAST, { 'idempotency-key': uuid }), url: `/api/message/room/${uuid}/broadcast` })).statusCode, 200)
  t.match((await app.inject('/api/rooms/room')).json().data.state, { fields: ['cvv', 'cardNumber'] })
})

t.test('the API key is checked before the request is searched for card data', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'secret' } })
  t.match((await app.inject(`/api/rooms/${CARD}`)).json(), { code: 'UNAUTHORIZED' })
  t.match((await app.inject({ url: `/api/rooms/${CARD}`, headers: { authorization: 'Bearer secret' } })).json(), { code: 'SENSITIVE_DATA' })
})

t.test('a frame with card data is refused, its socket stays open, and neither other members nor the log receive the data', async (t) => {
  const { logs, url } = await listen(t, { env: { LOG_LEVEL: 'trace' } })
  const [shop, payer] = [await Peer.connect(t, `${url}/?card=${CARD}`), await Peer.connect(t, url)]
  await shop.join('room')
  for (const payload of [{ roomId: 'room', note: CARD }, { roomId: 'room', cvv: '411' }, { roomId: CARD }, { roomId: 'room', deviceId: SPACED }, { roomId: 'room', [SPACED]: true }]) {
    payer.send('CLICKED_PAY', payload, 'an id')
    t.match((await payer.next('ERROR')).payload, { code: 'SENSITIVE_DATA', retryable: false, id: 'an id' })
  }
  payer.send('JOIN_ROOM', { roomId: 'room', deviceId: CARD })
  payer.send('NO_SUCH_EVENT', { roomId: 'room', pan: CARD })
  payer.send('CLICKED_PAY', { roomId: 'room' }, CARD)
  for (let i = 0; i < 3; i++) {
    const { payload } = await payer.next('ERROR')
    t.match(payload, { code: 'SENSITIVE_DATA' })
    t.notOk('id' in payload)
  }
  payer.send('CLICKED_PAY', { roomId: 'room' }, 'good')
  await payer.next('ACK')
  t.equal((await shop.next('CLICKED_PAY')).seq, 1, 'the first accepted event')
  t.notMatch(JSON.stringify([shop.frames, payer.frames, logs]), LEAK)
})
