// Webhooks of a server: from the change of a room to a receiver that verifies them.
import t, { type Test } from 'tap'
import { Webhook } from 'standardwebhooks'
import { build } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'
import { SECRET, startReceiver } from './receiver.js'

const KEY = { authorization: 'Bearer key' }
const LOCAL = { API_KEYS: 'key,read:reader', WEBHOOK_SECRET: SECRET, WEBHOOK_ALLOW_PRIVATE: 'true' }

async function start (t: Test, env: Record<string, string> = {}) {
  const clock = { time: 1_795_504_813_040 }
  const { app, logs } = await build(t, { now: () => clock.time, env: { ...LOCAL, ...env } })
  const create = async (payload: object, headers = KEY) => (await app.inject({ method: 'POST', url: '/api/rooms', headers, payload }))
  const publish = (roomId: string, type: string, payload: object = {}) => app.inject({ method: 'POST', url: `/api/rooms/${roomId}/events`, headers: KEY, payload: { type, payload } })
  const deliveries = async (headers = KEY) => (await app.inject({ url: '/api/webhooks/deliveries', headers })).json().data.deliveries as Array<Record<string, unknown>>
  const retry = (id: string, headers = KEY) => app.inject({ method: 'POST', url: `/api/webhooks/deliveries/${id}/retry`, headers })
  return { app, logs, clock, create, publish, deliveries, retry }
}

t.test('a result reaches the receiver, signed, with the state after it', async (t) => {
  const receiver = await startReceiver(t)
  const { app, clock, create, publish, deliveries } = await start(t, { WEBHOOK_URL: receiver.url })
  await create({ roomId: 'r', amount: '99.90', currency: 'BRL', reference: 'order 1' })
  await publish('r', 'CLICKED_PAY')
  await publish('r', 'PAYMENT_SUCCESS', { transactionId: 'tx', amount: 99.9, currency: 'BRL' })
  await until('the webhook arrives', () => receiver.received.length > 0)
  const [webhook] = receiver.received
  t.match(webhook, {
    type: 'payment.succeeded',
    timestamp: new Date(clock.time).toISOString(),
    data: { roomId: 'r', reference: 'order 1', seq: 2, state: { status: 'succeeded', step: 'CLICKED_PAY', paid: 99.9, outcome: { transactionId: 'tx', verified: true } } },
    headers: { 'content-type': 'application/json', 'user-agent': /^ws-payment-server\/\d/, 'webhook-timestamp': String(Math.floor(clock.time / 1000)) }
  })
  await until('it is delivered', async () => (await deliveries())[0]?.status === 'delivered')
  t.strictSame(await deliveries(), [{
    id: webhook!.id, roomId: 'r', type: 'payment.succeeded', status: 'delivered', attempts: 1, lastStatus: 204, nextTryAt: null, timestamp: clock.time
  }], 'the step of the payer is not among the default types')
  const metrics = (await app.inject({ url: '/metrics', headers: KEY })).body
  t.match(metrics, /wsp_webhook_attempts_total\{outcome="delivered"\} 1/)
  t.match(metrics, /wsp_webhook_oldest_seconds 0/)
})

t.test('WEBHOOK_EVENTS chooses the types', async (t) => {
  const receiver = await startReceiver(t)
  const { app, create, publish } = await start(t, { WEBHOOK_URL: receiver.url, WEBHOOK_EVENTS: 'payment.progressed, room.closed' })
  await create({ roomId: 'r' })
  await publish('r', 'CLICKED_PAY')
  await publish('r', 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  await app.inject({ method: 'DELETE', url: '/api/rooms/r', headers: KEY })
  await until('the webhooks arrive', () => receiver.received.length === 2)
  t.strictSame(receiver.received.map(({ type, data: { seq } }) => [type, seq]), [['payment.progressed', 1], ['room.closed', 2]])
})

t.test('a pause of the payer and the deadline are sent too', async (t) => {
  const receiver = await startReceiver(t)
  const { app, clock, create, publish } = await start(t, { WEBHOOK_URL: receiver.url })
  await create({ roomId: 'r', ttlSeconds: 600 })
  await publish('r', 'CLICKED_PAY')
  await app.broker.tick()
  clock.time += 120_000
  await app.broker.tick()
  clock.time += 600_000
  await app.broker.tick()
  await until('the webhooks arrive', () => receiver.received.length === 2)
  t.strictSame(receiver.received.map(({ type, data: { seq } }) => [type, seq]), [['payment.stalled', 1], ['payment.expired', 2]])
  t.not(receiver.received[0]!.id, receiver.received[1]!.id)
})

t.test('a room may have a URL of its own, which no answer and no log line contains', async (t) => {
  const [common, own] = [await startReceiver(t), await startReceiver(t)]
  const { app, logs, create, publish, deliveries } = await start(t, { WEBHOOK_URL: common.url })
  const payer = await Peer.inject(t, app)
  await create({ roomId: 'own', webhookUrl: `${own.url}/for-this-room?token=topsecret` })
  await create({ roomId: 'other' })
  own.replies.push(500)
  for (const room of ['own', 'other']) await publish(room, 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  await until('the webhooks arrive', () => common.received.length === 1 && own.received.length === 1)
  t.strictSame([common.types(), own.types()], [['other payment.succeeded'], ['own payment.succeeded']])
  await payer.join('own')
  const answers = await Promise.all(['/api/rooms/own', '/api/rooms', '/api/rooms/own/events', '/api/rooms/own/state', '/api/webhooks/deliveries'].map(async (url) => (await app.inject({ url, headers: KEY })).body))
  await until('the failure is logged', () => logs.some(({ msg }) => msg === 'webhook not delivered'))
  t.notMatch(JSON.stringify([answers, logs, payer.frames]), /topsecret|for-this-room/)
  t.match(logs.find(({ msg }) => msg === 'webhook not delivered'), { level: 40, roomId: 'own', type: 'payment.succeeded', status: 500, error: 'status', host: `127.0.0.1:${own.port}` })
  t.match(await deliveries(), [{ roomId: String }, { roomId: String }])
})

t.test('a URL of a room is refused where it must not be', async (t) => {
  const open = await build(t)
  const answer = await open.app.inject({ method: 'POST', url: '/api/rooms', payload: { webhookUrl: 'https://shop.example/hook' } })
  t.match([answer.statusCode, answer.json()], [400, { code: 'INVALID_REQUEST', details: [{ key: 'webhookUrl', rule: 'requires a server with the setting WEBHOOK_SECRET' }] }])
  t.strictSame((await open.app.inject('/api/webhooks/deliveries')).json().data, { deliveries: [] })
  const none = await open.app.inject({ method: 'POST', url: `/api/webhooks/deliveries/msg_${'x'.repeat(32)}/retry` })
  t.match([none.statusCode, none.json().code], [404, 'NOT_FOUND'])

  const { create } = await start(t, { WEBHOOK_ALLOW_PRIVATE: 'false' })
  for (const [webhookUrl, rule] of [
    ['http://shop.example/hook', 'must begin with https://'], ['ftp://shop.example/', /^must be: URL, /], ['/hook', /^must be: URL, /], ['https://[', 'must be a URL'],
    ['https://a:b@shop.example/', 'must not contain a user or a password'],
    ['https://10.0.0.1/', 'must not be an address of a private network'], ['https://0x7f.1/', 'must not be an address of a private network'], ['https://[::1]/', 'must not be an address of a private network']
  ] as const) {
    const refused = await create({ webhookUrl })
    t.match([refused.statusCode, refused.json().details], [400, [{ key: 'webhookUrl', rule }]], webhookUrl)
  }
  t.equal((await create({ webhookUrl: `https://shop.example/${'x'.repeat(2048)}` })).statusCode, 400)
  t.equal((await create({ webhookUrl: 'https://shop.example/hook' })).statusCode, 201)
})

t.test('during a rotation all secrets sign', async (t) => {
  const other = `whsec_${Buffer.from('another secret of this shop').toString('base64')}`
  const receiver = await startReceiver(t, { secret: other })
  const { create, publish } = await start(t, { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET: `${SECRET}, ${other}` })
  await create({ roomId: 'r' })
  await publish('r', 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  await until('the webhook arrives', () => receiver.received.length === 1)
  const signatures = String(receiver.received[0]!.headers['webhook-signature'])
  t.equal(signatures.split(' ').length, 2)
  t.equal(receiver.refused(), 0)
})

t.test('the library of Standard Webhooks verifies a webhook, its time included', async (t) => {
  const bodies: Array<[string, Record<string, string>]> = []
  const receiver = await startReceiver(t)
  receiver.replies.push((response, { headers, id, ...body }) => {
    const { headers: _headers, ...plain } = { headers, ...body }
    bodies.push([JSON.stringify(plain), headers as Record<string, string>])
    response.end()
  })
  const { app } = await build(t, { env: { ...LOCAL, WEBHOOK_URL: receiver.url } })
  await app.inject({ method: 'POST', url: '/api/rooms/r/events', headers: KEY, payload: { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx' } } })
  await until('the webhook arrives', () => bodies.length === 1)
  const [body, headers] = bodies[0]!
  t.match(new Webhook(SECRET).verify(body, headers), { type: 'payment.succeeded' })
  t.throws(() => new Webhook(SECRET).verify(body.replace('succeeded', 'refunded'), headers))
})

t.test('a delivery that was given up is sent again by an operator, not by a reader', async (t) => {
  const receiver = await startReceiver(t)
  const { logs, create, publish, deliveries, retry } = await start(t, { WEBHOOK_URL: receiver.url })
  receiver.replies.push(410)
  await create({ roomId: 'r' })
  await publish('r', 'PAYMENT_SUCCESS', { transactionId: 'tx' })
  await until('the receiver is off', async () => (await deliveries())[0]?.status === 'disabled')
  const reader = { authorization: 'Bearer reader' }
  const [{ id }] = await deliveries(reader) as [{ id: string }]
  t.equal((await retry(id, reader)).statusCode, 403)
  t.match((await retry(id)).json(), { success: true, data: { id, status: 'pending', attempts: 1 } })
  await until('it is delivered', async () => (await deliveries())[0]?.status === 'delivered')
  t.match(await deliveries(), [{ id, attempts: 2, lastStatus: 204 }])
  t.match((await retry(id)).json(), { code: 'INVALID_REQUEST', error: 'The webhook was delivered.' })
  t.match((await retry(`msg_${'x'.repeat(32)}`)).json(), { code: 'NOT_FOUND' })
  t.ok(logs.some(({ msg, level }) => msg === 'receiver of webhooks switched off: it has answered 410' && level === 50))
  t.notMatch(JSON.stringify(logs), /whsec_/)
})
