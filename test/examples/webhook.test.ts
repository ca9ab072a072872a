// The example of a webhook: only the provider is trusted, its result is verified, and a repeated delivery is logged once.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { Peer } from '../peer.js'
import { startExample } from './example.js'

const { sign } = await import(join(ROOT, 'examples/webhook/signature.js')) as { sign: (secret: string, time: number, body: string) => string }

const KEY = 'k-1234'
const SECRET = 'whsec-test'
const PAID = { id: 'evt-1', type: 'payment.paid', data: { room: 'r', transactionId: 'tx_1', amount: 99.9, currency: 'BRL' } }

interface DeliverOptions { readonly time?: number, readonly header?: string }

/** Starts the example in front of a payment server; `deliver` is the provider. */
async function startWebhook (t: Test, server: string) {
  const { origin, output } = await startExample(t, 'examples/webhook/server.js', { KEY, WEBHOOK_SECRET: SECRET, SERVER: server })
  const send = async (webhook: object | string, { time = Math.floor(Date.now() / 1000), header }: DeliverOptions = {}) => {
    const body = typeof webhook === 'string' ? webhook : JSON.stringify(webhook)
    const signature = header ?? `t=${time},v1=${sign(SECRET, time, body)}`
    return await fetch(`${origin}/webhook`, { method: 'POST', headers: signature === '' ? {} : { 'x-signature': signature }, body })
  }
  return { send, deliver: async (webhook: object | string, options?: DeliverOptions) => (await send(webhook, options)).status, output }
}

async function setUp (t: Test) {
  const { app, url, port } = await listen(t, { env: { API_KEYS: KEY, RESULTS_FROM: 'backend' } })
  const headers = { authorization: `Bearer ${KEY}` }
  const log = async (room = 'r') => (await app.inject({ url: `/api/rooms/${room}`, headers })).json()
  const events = async () => (await app.inject({ url: '/api/rooms/r/events', headers })).json().data.events
  return { app, url, headers, log, events, ...await startWebhook(t, `http://127.0.0.1:${port}`) }
}

const paid = (room: string, data: object) => ({ id: `evt-${room}`, type: 'payment.paid', data: { room, transactionId: 'tx_1', amount: 99.9, currency: 'BRL', ...data } })

t.test('A paid payment is a verified success for both devices, however many webhooks tell it', async (t) => {
  const { url, deliver, log } = await setUp(t)
  const shop = await Peer.connect(t, url)
  await shop.join('r')
  t.equal(await deliver(PAID), 200)
  t.match(await shop.next('PAYMENT_SUCCESS'), { seq: 1, source: 'api', id: 'psp:tx_1:payment.paid', payload: { transactionId: 'tx_1', amount: 99.9, currency: 'BRL' } })
  t.equal(await deliver(PAID), 200)
  t.equal(await deliver({ ...PAID, id: 'evt-2' }), 200, 'another webhook about the same result')
  await shop.settled()
  t.equal(shop.events.length, 1, 'the event is sent once')
  t.match(await log(), { data: { seq: 1, state: { status: 'succeeded', outcome: { verified: true, transactionId: 'tx_1' } } } })
})

t.test('The spellings of providers arrive: amounts as text, currencies in lower case, integer ids, nulls', async (t) => {
  const { deliver, log } = await setUp(t)
  const cases: Array<[room: string, data: object, outcome: object]> = [
    ['text', { amount: '99.90' }, { amount: 99.9 }],
    ['lower', { currency: 'brl' }, { currency: 'BRL' }],
    ['integer', { transactionId: 1320956782 }, { transactionId: '1320956782' }],
    ['null', { amount: null, currency: null, error: null }, { amount: undefined, currency: undefined }],
    ['long', { transactionId: 'cs_test_'.padEnd(66, 'a1B2') }, { transactionId: 'cs_test_'.padEnd(66, 'a1B2') }],
    ['nameless', { transactionId: null }, { transactionId: undefined }]
  ]
  for (const [room, data, outcome] of cases) {
    t.equal(await deliver(paid(room, data)), 200, room)
    const { data: { state } } = await log(room)
    t.equal(state.status, 'succeeded', room)
    for (const [key, value] of Object.entries(outcome)) t.equal(state.outcome[key], value, `${room}: ${key}`)
  }
})

t.test('Every result of the provider has its event, and a webhook of an unknown type is ignored', async (t) => {
  const { deliver, log, events } = await setUp(t)
  const tell = async (type: string, data: object = {}) => {
    t.equal(await deliver({ id: 'evt', type, data: { room: 'r', transactionId: 'tx_1', ...data } }), 200, type)
    const { data: { state: { status, outcome } } } = await log()
    return { status, outcome }
  }
  t.match(await tell('payment.failed', { error: 'Card declined', code: 'DECLINED' }), { status: 'failed', outcome: { verified: true, code: 'DECLINED' } })
  t.match(await tell('payment.in_analysis', { transactionId: 'tx_2', method: 'pix' }), { status: 'failed' }, 'an analysis does not outrank a failure')
  t.match(await tell('payment.cancelled', { reason: 'by the shop' }), { status: 'cancelled', outcome: { reason: 'by the shop' } })
  t.match(await tell('payment.paid', { transactionId: 'tx_2', amount: 99.9, currency: 'BRL' }), { status: 'succeeded', outcome: { late: true } })
  t.match(await tell('payment.refunded', { transactionId: 'tx_2', refundId: 're_1', amount: 40, currency: 'BRL' }), { status: 'partially_refunded' })
  t.match(await tell('payment.refunded', { transactionId: 'tx_2', refundId: 're_2', amount: 59.9, currency: 'BRL' }), { status: 'refunded' }, 'a second refund of a payment is another result')
  t.match(await tell('dispute.opened', { reason: 'fraud' }), { status: 'disputed', outcome: { reason: 'fraud' } })
  t.match(await tell('dispute.won'), { status: 'refunded' })
  t.match(await tell('dispute.lost'), { status: 'disputed' })
  const before = (await events()).length
  for (const type of ['payment.created', 'toString', '__proto__']) t.equal(await deliver({ id: 'evt', type, data: { room: 'r' } }), 200, type)
  t.equal((await events()).length, before)
})

t.test('Only webhooks with the provider\'s signature are accepted', async (t) => {
  const { deliver, log, output } = await setUp(t)
  const now = Math.floor(Date.now() / 1000)
  t.equal(await deliver(PAID, { header: '' }), 401, 'no signature')
  t.equal(await deliver(PAID, { header: `t=${now},v1=${'0'.repeat(64)}` }), 401, 'a wrong signature')
  t.equal(await deliver({ ...PAID, id: 'evt-2' }, { header: `t=${now},v1=${sign(SECRET, now, JSON.stringify(PAID))}` }), 401, 'the signature of another body')
  t.equal(await deliver(PAID, { time: now - 400 }), 401, 'an old signature')
  t.equal(await deliver('{"id":secret'), 400, 'invalid JSON, though signed')
  for (let i = 0; i < 5; i++) t.equal(await deliver({ ...PAID, text: 'x'.repeat(2_000_000) }), 413, 'a body that is too large')
  t.match(await log(), { code: 'ROOM_NOT_FOUND' })
  t.notMatch(output(), 'secret', 'the log holds nothing of the body')
})

t.test('A result that the payment server refuses for good is never answered with 200', async (t) => {
  const { app, headers, deliver, output } = await setUp(t)
  await app.inject({ method: 'POST', url: '/api/rooms', headers, payload: { roomId: 'closed' } })
  await app.inject({ method: 'DELETE', url: '/api/rooms/closed', headers })
  t.equal(await deliver(paid('closed', {})), 422, 'the room is closed')
  for (const data of [{ amount: -1 }, { amount: '1,50' }, { currency: 'REAL' }, { amount: 9.999 }, { room: '4111-1111-1111-1111' }, { room: 'a room' }, { room: null }]) {
    t.equal(await deliver(paid('other', data)), 422, JSON.stringify(data))
  }
  t.equal(await deliver(paid('r', {})), 200)
  t.equal(await deliver(paid('r', { amount: 50 })), 422, 'one result with two amounts')
  for (const words of ['ROOM_CLOSED', 'payload.amount', 'SENSITIVE_DATA', 'ID_CONFLICT', 'has no room']) t.match(output(), words)
  t.notMatch(output(), '4111', 'the log holds nothing of the body')
})

t.test('An integer that a double does not hold arrives as text, or is refused, but never as another number', async (t) => {
  const { deliver, log } = await setUp(t)
  const status = await deliver('{"id":"evt-1","type":"payment.paid","data":{"room":"r","transactionId":576461413038785752}}')
  if (status === 422) return t.match(await log(), { code: 'ROOM_NOT_FOUND' })
  t.equal(status, 200)
  t.match(await log(), { data: { state: { outcome: { transactionId: '576461413038785752' } } } })
})

t.test('The provider is asked to deliver again while the payment server is away, limits, or refuses the key', async (t) => {
  const answers: Array<[status: number, body: string]> = [
    [429, '{"success":false,"code":"RATE_LIMITED"}'], [503, '{"success":false,"code":"UNAVAILABLE"}'], [401, '{"success":false,"code":"UNAUTHORIZED"}'], [404, '{"success":false,"code":"NOT_FOUND"}'],
    [502, '<html>Bad Gateway</html>'], [200, '<html>a login page</html>']
  ]
  let answer = answers[0]!
  const server = http.createServer((_request, response) => response.writeHead(answer[0]).end(answer[1])).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = () => { server.close().closeAllConnections() }
  t.teardown(stop)
  const { send } = await startWebhook(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const expectRetry = async (name: string) => {
    const { status, headers } = await send(PAID)
    t.equal(status, 503, name)
    t.equal(headers.get('retry-after'), '30', name)
  }
  for (answer of answers) await expectRetry(String(answer[0]))
  stop()
  await expectRetry('away')
})
