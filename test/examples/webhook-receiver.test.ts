// The example of a receiver: only signed webhooks are handled, each once, and one that could not be handled comes again.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Webhook } from 'standardwebhooks'
import { build } from '../build.js'
import { until } from '../until.js'
import { SECRET } from '../webhooks/receiver.js'
import { startExample } from './example.js'

const KEY = { authorization: 'Bearer key' }

async function start (t: Test, secret = SECRET) {
  const { origin, output } = await startExample(t, join('examples', 'webhook-receiver', 'server.js'), { WEBHOOK_SECRET: secret })
  const send = async (body: string, headers: Record<string, string>) => (await fetch(`${origin}/webhook`, { method: 'POST', headers, body })).status
  const signed = (id: string, body: string, { at = new Date(), by = SECRET } = {}) => ({
    'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)), 'webhook-signature': new Webhook(by).sign(id, at, body)
  })
  return { origin, output, send, signed }
}

const paid = JSON.stringify({ type: 'payment.succeeded', timestamp: '2026-11-24T08:46:53.040Z', data: { roomId: 'r', reference: 'order 1', epoch: 'e', seq: 1, state: { status: 'succeeded', outcome: { verified: true } } } })
const times = (text: string, word: string) => text.split(word).length - 1

t.test('The result of a payment arrives from the payment server, and is handled once', async (t) => {
  const { origin, output } = await start(t)
  const { app } = await build(t, { env: { API_KEYS: 'key', WEBHOOK_SECRET: SECRET, WEBHOOK_URL: `${origin}/webhook`, WEBHOOK_ALLOW_PRIVATE: 'true' } })
  await app.inject({ method: 'POST', url: '/api/rooms', headers: KEY, payload: { roomId: 'r', reference: 'order 1' } })
  for (const type of ['PAYMENT_ERROR', 'PAYMENT_SUCCESS']) await app.inject({ method: 'POST', url: '/api/rooms/r/events', headers: KEY, payload: { type, payload: { error: 'declined', transactionId: 'tx' } } })
  await until('the shop sends the goods', () => output().includes('order 1: paid'))
  t.match(output(), /order 1: payment\.failed \(failed, seq 1\)\n.*order 1: paid, send the goods/)
})

t.test('A repetition is recognised by its id', async (t) => {
  const { output, send, signed } = await start(t)
  for (let i = 0; i < 3; i++) t.equal(await send(paid, signed('msg_1', paid)), 200)
  t.equal(await send(paid, signed('msg_2', paid)), 200)
  await until('both are handled', () => times(output(), 'paid, send the goods') === 2)
})

t.test('Only signed webhooks are handled', async (t) => {
  const other = `whsec_${Buffer.from('a secret of somebody else entirely').toString('base64')}`
  const { origin, output, send, signed } = await start(t)
  t.equal(await send(paid, {}), 401, 'no signature')
  t.equal(await send(paid, signed('msg_1', paid, { by: other })), 401, 'another secret')
  t.equal(await send(paid.replace('order 1', 'order 2'), signed('msg_1', paid)), 401, 'another body')
  t.equal(await send(paid, signed('msg_1', paid, { at: new Date(Date.now() - 600_000) })), 401, 'an old one')
  t.equal(await send('x'.repeat(100_001), {}), 413)
  for (let i = 0; i < 5; i++) t.equal(await send('x'.repeat(2_000_000), {}), 413)
  t.equal((await fetch(`${origin}/other`, { method: 'POST' })).status, 404)
  t.notMatch(output(), /order/)
})

t.test('Secrets rotate, and a webhook that cannot be handled comes again', async (t) => {
  const other = `whsec_${Buffer.from('the secret of the day before').toString('base64')}`
  const { send, signed } = await start(t, `${SECRET}, ${other}`)
  t.equal(await send(paid, signed('msg_1', paid, { by: other })), 200)
  const broken = '{"type":"payment.succeeded"}'
  t.equal(await send(broken, signed('msg_2', broken)), 500)
  t.equal(await send(broken, signed('msg_2', broken)), 500, 'it is not marked as handled')
})
