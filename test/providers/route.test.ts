// The route of the webhooks: providers that are off, sizes, rates, and content types.
import t from 'tap'
import { build } from '../build.js'
import { stripe } from './bodies.js'
import { senders, settingsOf } from './senders.js'
import { receiver } from './server.js'

t.test('a provider without its setting, and one that does not exist, answer 404', async (t) => {
  const all = await senders(t)
  const { app } = await build(t)
  for (const sender of all) t.match((await app.inject(sender.deliver(sender.paid))).json(), { success: false, code: 'NOT_FOUND' }, sender.name)
  const [first, ...others] = all
  const { inject } = await receiver(t, first!)
  for (const sender of others) t.equal((await inject(sender.deliver(sender.paid))).status, 404, sender.name)
  for (const name of ['nobody', 'toString', '__proto__', 'constructor', '%00', 'STRIPE']) t.equal((await inject({ ...first!.deliver({}), url: `/webhooks/${name}` })).status, 404, name)
  t.equal((await app.inject('/webhooks/stripe')).statusCode, 404, 'there is nothing to get')
})

t.test('all providers may be on at once, and the log names them', async (t) => {
  const all = await senders(t)
  const { app, logs } = await build(t, { env: Object.assign({}, ...all.map(settingsOf)) as Record<string, string> })
  for (const sender of all) t.equal((await app.inject(sender.deliver(sender.paid))).statusCode, 200, sender.name)
  const names = logs.find(({ msg }) => msg === 'webhooks of payment providers are accepted')!.providers as string[]
  t.strictSame([...names].sort(), all.map(({ name }) => name).sort())
})

t.test('a body of 512 KiB is taken, a larger one is answered with 413; other requests keep their limit', async (t) => {
  const [sender] = await senders(t)
  const { app, send, ask } = await receiver(t, sender!)
  const message = (length: number) => stripe.intent('payment_intent.succeeded', { description: 'x'.repeat(length) })
  t.equal((await send(message(300 * 1024))).status, 200)
  const { status, body } = await send(message(512 * 1024))
  t.equal(status, 413)
  t.match(JSON.parse(body), { code: 'PAYLOAD_TOO_LARGE' })
  t.equal(await ask('POST', '/api/rooms', { description: 'x'.repeat(20_000) }), 413)
  t.equal((await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key', 'content-type': 'text/plain' }, payload: '{}' })).statusCode, 415)
})

t.test('the content type does not matter, since the bytes are signed', async (t) => {
  const [sender] = await senders(t)
  const { inject } = await receiver(t, sender!)
  for (const type of ['application/json; charset=utf-8', 'text/plain', 'application/x-www-form-urlencoded']) {
    const delivery = sender!.deliver(sender!.paid)
    t.equal((await inject({ ...delivery, headers: { ...delivery.headers, 'content-type': type } })).status, 200, type)
  }
})

t.test('an address may send 200 requests per second, whatever REQUESTS_PER_SECOND says', async (t) => {
  let time = 0
  const [sender] = await senders(t)
  const { app, inject } = await receiver(t, sender!, { env: { REQUESTS_PER_SECOND: '1' }, monotonic: () => time })
  const delivery = { ...sender!.deliver({}), headers: {} }
  for (let n = 0; n < 200; n++) t.equal((await inject(delivery)).status, 401)
  const answer = await app.inject(delivery)
  t.equal(answer.statusCode, 429)
  t.ok(answer.headers['retry-after'])
  t.equal((await inject({ ...delivery, remoteAddress: '10.1.1.1' })).status, 401, 'another address')
  time += 1_001
  t.equal((await inject(delivery)).status, 401, 'the next second')
})
