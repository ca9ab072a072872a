// Card data is refused or masked at every input, and none of it is repeated, relayed or logged.
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'

const CARD = '4111111111111111'
const SPACED = '4111 1111 1111 1111'
const DASHED = '4111-1111-1111-1111'
const MASKED = '411111******1111'
// Timestamps may hold the first digits of the card number.
const LEAK = /4111.?1111/
const BROADCAST = { eventType: 'PAYMENT_UPDATE', message: 'paid', idSeguro: 'seguro_1' }
const broadcast = (body: object, headers: Record<string, string> = {}): InjectOptions => ({ method: 'POST', url: '/api/message/room/room/broadcast', headers, body })
const publish = (body: object, headers: Record<string, string> = {}): InjectOptions => ({ method: 'POST', url: '/api/rooms/room/events', headers, body })
const paid = (payload: object) => ({ type: 'PAYMENT_SUCCESS', payload })
const NUMBER = 'contains what looks like a card number, which is not accepted'
const NAME = 'names card data, which is not accepted'

/** Requests for every place of the REST API whose text is not masked, each with the key that the answer names. */
const REQUESTS: Array<[InjectOptions, string, string?]> = [
  [broadcast({ ...BROADCAST, eventType: CARD }), 'eventType'],
  [broadcast({ ...BROADCAST, extra: { cvv: '123' } }), 'extra.cvv', NAME],
  [broadcast({ ...BROADCAST, [CARD]: 1 }), '[hidden]'],
  [broadcast(BROADCAST, { 'idempotency-key': SPACED }), 'idempotency-key'],
  [{ ...broadcast(BROADCAST), url: `/api/message/room/${DASHED}/broadcast` }, 'roomId'],
  [publish(paid({ cardNumber: 1 })), 'payload.cardNumber', NAME],
  [publish(paid({ card: { number: CARD, expiry: '12/30' } })), 'payload.card.number', NAME],
  [publish({ ...paid({}), id: SPACED }), 'id'],
  [publish(paid({}), { 'idempotency-key': `key ${SPACED}` }), 'idempotency-key'],
  [{ method: 'POST', url: '/api/rooms', body: { roomId: DASHED } }, 'roomId'],
  [{ method: 'GET', url: `/api/rooms/${DASHED}` }, 'roomId'],
  [{ method: 'DELETE', url: `/api/rooms/${DASHED}` }, 'roomId'],
  [{ method: 'GET', url: `/api/rooms/${DASHED}/events` }, 'roomId'],
  [{ method: 'GET', url: `/api/rooms/room/events?deviceId=${SPACED.replaceAll(' ', '+')}`, headers: { accept: 'text/event-stream' } }, 'deviceId'],
  [{ method: 'GET', url: `/api/rooms/room/events?since=${CARD}` }, 'since'],
  [{ method: 'GET', url: `/api/rooms/room/events?epoch=${CARD}` }, 'epoch'],
  [{ method: 'GET', url: '/api/rooms/room/events', headers: { accept: 'text/event-stream', 'last-event-id': `${DASHED}:1` } }, 'last-event-id'],
  [{ method: 'GET', url: `/api/rooms?card=${CARD}` }, 'card'],
  [{ method: 'GET', url: '/api/rooms?cvv=123' }, 'cvv', NAME]
]

/** Bodies whose texts are masked, each with the frame that the room receives. */
const MASKED_REQUESTS: Array<[InjectOptions, object]> = [
  [broadcast({ ...BROADCAST, message: `card ${SPACED}` }), { type: 'PAYMENT_UPDATE', payload: { message: `card ${MASKED}`, idSeguro: 'seguro_1' } }],
  [broadcast({ ...BROADCAST, idSeguro: DASHED }), { type: 'PAYMENT_UPDATE', payload: { message: 'paid', idSeguro: MASKED } }],
  [publish({ ...paid({ transactionId: SPACED, amount: 5 }), id: 'a' }), { type: 'PAYMENT_SUCCESS', payload: { transactionId: MASKED, amount: 5 }, id: 'a' }],
  [publish({ type: 'PAYMENT_ERROR', payload: { error: `cartão ${CARD} recusado`, note: '４１１１.１１１１.１１１１.１１１１' } }), { type: 'PAYMENT_ERROR', payload: { error: `cartão ${MASKED} recusado`, note: MASKED } }]
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

t.test('card numbers in the texts of a body are masked, and the event is carried with `redacted`', async (t) => {
  const { app, logs } = await build(t, { env: { LOG_LEVEL: 'trace', API_KEYS: 'secret' } })
  const shop = await Peer.inject(t, app)
  await shop.join('room')
  const headers = { authorization: 'Bearer secret' }
  for (const [request, frame] of MASKED_REQUESTS) {
    const answer = await app.inject({ ...request, headers })
    t.ok(answer.statusCode < 300, `${answer.statusCode} ${answer.body}`)
    t.notMatch(answer.body, LEAK)
    t.match(await shop.next(String((frame as { type: string }).type)), { ...frame, redacted: true, source: 'api' })
  }
  const { data: { events } } = (await app.inject({ url: '/api/rooms/room/events', headers })).json()
  t.strictSame(events.map(({ redacted }: { redacted?: boolean }) => redacted), MASKED_REQUESTS.map(() => true))
  t.notMatch(JSON.stringify([logs, events]), LEAK)
})

t.test('a masked event that is sent twice is one event', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  await shop.join('room')
  const event = { ...paid({ transactionId: SPACED }), id: 'a' }
  t.match((await app.inject(publish(event))).json().data, { seq: 1, duplicate: false })
  t.match((await app.inject(publish(event))).json().data, { seq: 1, duplicate: true })
  shop.send('PAYMENT_SUCCESS', { roomId: 'room', transactionId: SPACED }, 'a')
  t.match((await shop.next('ACK')).payload, { seq: 1, duplicate: true })
  const message = { ...BROADCAST, message: `card ${SPACED}` }
  for (let i = 0; i < 2; i++) t.equal((await app.inject(broadcast(message, { 'idempotency-key': 'b' }))).statusCode, 200)
  t.match((await app.inject('/api/rooms/room')).json().data, { seq: 2 })
})

t.test('a thousand transactions with consecutive numbers are published by a backend, none is refused', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'secret' } })
  const headers = { authorization: 'Bearer secret' }
  await app.inject({ method: 'POST', url: '/api/rooms', headers, body: { roomId: 'room' } })
  const answers = new Map<number, number>()
  for (let i = 0; i < 1000; i++) {
    const transactionId = `pay_${4539_0000_0000_0000 + i}`
    const { statusCode } = await app.inject({ ...publish(paid({ transactionId, note: transactionId.slice(4), card: { brand: 'visa', expiry: '12/30' } }), headers), headers })
    answers.set(statusCode, (answers.get(statusCode) ?? 0) + 1)
  }
  t.strictSame([...answers], [[201, 1000]])
  const { data: { events } } = (await app.inject({ url: '/api/rooms/room/events', headers })).json()
  t.notMatch(JSON.stringify(events), /redacted|\*/)
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
  t.match((await app.inject(`/api/rooms/${DASHED}`)).json(), { code: 'UNAUTHORIZED' })
  t.match((await app.inject({ url: `/api/rooms/${DASHED}`, headers: { authorization: 'Bearer secret' } })).json(), { code: 'SENSITIVE_DATA' })
})

t.test('a frame with card data is refused, its socket stays open, and neither other members nor the log receive the data', async (t) => {
  const { logs, url } = await listen(t, { env: { LOG_LEVEL: 'trace' } })
  const [shop, payer] = [await Peer.connect(t, `${url}/?card=${CARD}`), await Peer.connect(t, url)]
  await shop.join('room')
  // More than the ten invalid frames of a minute.
  for (let i = 0; i < 3; i++) {
    for (const payload of [{ roomId: 'room', cvv: '411' }, { roomId: DASHED }, { roomId: 'room', deviceId: SPACED }, { roomId: 'room', [SPACED]: true }, { roomId: 'room', card: { number: CARD, expiry: '12/30' } }]) {
      payer.send('CLICKED_PAY', payload, 'an id')
      t.match((await payer.next('ERROR')).payload, { code: 'SENSITIVE_DATA', retryable: false, id: 'an id' })
    }
  }
  payer.send('JOIN_ROOM', { roomId: 'room', deviceId: SPACED })
  payer.send('NO_SUCH_EVENT', { roomId: 'room', pan: CARD })
  payer.send('CLICKED_PAY', { roomId: 'room' }, SPACED)
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

t.test('a frame with a card number in a text is relayed with the number masked, and is logged nowhere with it', async (t) => {
  const { logs, url, app } = await listen(t, { env: { LOG_LEVEL: 'trace' } })
  const [shop, payer] = [await Peer.connect(t, url), await Peer.connect(t, url)]
  await shop.join('room')
  for (const [n, text] of [CARD, SPACED, `meu cartão ${CARD}`, '4111.1111.1111.1111', [...CARD].join('\u200b'), '４１１１１１１１１１１１１１１１'].entries()) {
    for (let i = 0; i < 2; i++) {
      payer.send('PAYMENT_METHOD_CHANGED', { roomId: 'room', method: text }, `event ${n}`)
      t.match((await payer.next('ACK')).payload, { duplicate: i === 1 })
    }
    const { payload, ...frame } = await shop.next('PAYMENT_METHOD_CHANGED')
    t.match(frame, { redacted: true, source: 'device' })
    t.equal(payload.method, text.startsWith('meu') ? `meu cartão ${MASKED}` : MASKED)
  }
  const room = (await app.inject('/api/rooms/room')).json().data
  t.equal(room.state.method, MASKED)
  t.notMatch(JSON.stringify([shop.frames, room, logs]).normalize('NFKC').replace(/[\u200b.]/g, ''), LEAK)
})

t.test('refusals of card data count for the message rate', async (t) => {
  const { url } = await listen(t, { env: { MESSAGES_PER_SECOND: '5', MESSAGES_BURST: '5' } })
  const payer = await Peer.connect(t, url)
  for (let i = 0; i < 8; i++) payer.send('CLICKED_PAY', { roomId: 'room', cvv: '411' })
  const codes: string[] = []
  for (let i = 0; i < 8; i++) codes.push((await payer.next('ERROR')).payload.code as string)
  t.strictSame(codes.slice(0, 5), Array(5).fill('SENSITIVE_DATA'))
  t.equal(codes.at(-1), 'RATE_LIMITED')
})
