// The example of a webhook: only the provider is trusted, its result is verified, and a repeated delivery is logged once.
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

async function setUp (t: Test) {
  const { app, url, port } = await listen(t, { env: { API_KEYS: KEY, RESULTS_FROM: 'backend' } })
  const { origin, output } = await startExample(t, 'examples/webhook/server.js', { KEY, WEBHOOK_SECRET: SECRET, SERVER: `http://127.0.0.1:${port}` })
  const deliver = async (webhook: object | string, { time = Math.floor(Date.now() / 1000), header }: { time?: number, header?: string } = {}) => {
    const body = typeof webhook === 'string' ? webhook : JSON.stringify(webhook)
    const signature = header ?? `t=${time},v1=${sign(SECRET, time, body)}`
    return (await fetch(`${origin}/webhook`, { method: 'POST', headers: signature === '' ? {} : { 'x-signature': signature }, body })).status
  }
  const log = async () => (await app.inject({ url: '/api/rooms/r', headers: { authorization: `Bearer ${KEY}` } })).json()
  return { app, url, deliver, log, output }
}

t.test('A paid payment is a verified success for both devices, however often it is delivered', async (t) => {
  const { url, deliver, log } = await setUp(t)
  const shop = await Peer.connect(t, url)
  await shop.join('r')
  t.equal(await deliver(PAID), 200)
  t.match(await shop.next('PAYMENT_SUCCESS'), { seq: 1, source: 'api', id: 'evt-1', payload: { transactionId: 'tx_1', amount: 99.9, currency: 'BRL' } })
  t.equal(await deliver(PAID), 200)
  await shop.settled()
  t.equal(shop.events.length, 1, 'the event is sent once')
  t.match(await log(), { data: { seq: 1, state: { status: 'succeeded', outcome: { verified: true, transactionId: 'tx_1' } } } })
})

t.test('A failed payment is logged, and a webhook of an unknown type is ignored', async (t) => {
  const { deliver, log } = await setUp(t)
  t.equal(await deliver({ id: 'evt-2', type: 'payment.failed', data: { room: 'r', error: 'Card declined', code: 'DECLINED' } }), 200)
  t.match(await log(), { data: { state: { status: 'failed', outcome: { verified: true, code: 'DECLINED' } } } })
  t.equal(await deliver({ id: 'evt-3', type: 'payment.created', data: { room: 'r' } }), 200)
  t.match(await log(), { data: { seq: 1 } })
})

t.test('Only webhooks with the provider\'s signature are accepted', async (t) => {
  const { deliver, log } = await setUp(t)
  const now = Math.floor(Date.now() / 1000)
  t.equal(await deliver(PAID, { header: '' }), 401, 'no signature')
  t.equal(await deliver(PAID, { header: `t=${now},v1=${'0'.repeat(64)}` }), 401, 'a wrong signature')
  t.equal(await deliver({ ...PAID, id: 'evt-2' }, { header: `t=${now},v1=${sign(SECRET, now, JSON.stringify(PAID))}` }), 401, 'the signature of another body')
  t.equal(await deliver(PAID, { time: now - 400 }), 401, 'an old signature')
  t.equal(await deliver('{"id":'), 400, 'invalid JSON, though signed')
  t.match(await log(), { code: 'ROOM_NOT_FOUND' })
})

t.test('The provider is asked to deliver again only where that can help', async (t) => {
  const { app, deliver } = await setUp(t)
  const headers = { authorization: `Bearer ${KEY}` }
  await app.inject({ method: 'POST', url: '/api/rooms', headers, payload: { roomId: 'r' } })
  await app.inject({ method: 'DELETE', url: '/api/rooms/r', headers })
  t.equal(await deliver(PAID), 200, 'the room is closed')
  t.equal(await deliver({ ...PAID, data: { ...PAID.data, room: '4111-1111-1111-1111' } }), 200, 'card data is refused for good')
  await app.close()
  t.equal(await deliver(PAID), 503, 'the server is down')
})
