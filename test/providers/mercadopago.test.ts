// Mercado Pago's API: what it is asked, and its faults. The payment is read from it, since a webhook has no signed body.
import type { RequestListener } from 'node:http'
import t from 'tap'
import { mercadopago as bodies, ROOM } from './bodies.js'
import { fakeApi, mercadopago } from './senders.js'
import { receiver } from './server.js'

t.test('the payment is read by its id, with the access token', async (t) => {
  const api = await fakeApi(t)
  const sender = mercadopago(api)
  for (const url of [api.url, `${api.url}/`]) {
    const { send } = await receiver(t, sender, { env: { MERCADOPAGO_API_URL: url } })
    t.equal((await send(sender.paid)).status, 200)
  }
  t.strictSame(api.requests, Array(2).fill('/v1/payments/20359978 Bearer APP_USR-1234'))
})

t.test('the API is not asked before the signature is verified, nor about other things than payments', async (t) => {
  const api = await fakeApi(t)
  const sender = mercadopago(api)
  const { send, inject } = await receiver(t, sender)
  await send(sender.paid, { secret: 'wrong' })
  await send(sender.other)
  await inject({ ...sender.deliver({ id: 'x' }), url: '/webhooks/mercadopago?data.id=../../users/me&type=payment' })
  t.strictSame(api.requests, [])
})

t.test('the body decides nothing: another payment in it is not read, and the type may be in it', async (t) => {
  const api = await fakeApi(t)
  const sender = mercadopago(api)
  const { inject, state } = await receiver(t, sender)
  api.payments.set('666', bodies.payment('approved', { id: 666, external_reference: 'another_order' }))
  const delivery = sender.deliver(sender.paid, { raw: '{"type":"payment","data":{"id":"666"}}' })
  t.equal((await inject({ ...delivery, url: delivery.url.replace('&type=payment', '') })).status, 200)
  t.equal(await state('another_order'), undefined)
  t.match(await state(), { status: 'succeeded' })
})

t.test('a fault of the API is answered with 503, so that the webhook comes again', async (t) => {
  const api = await fakeApi(t)
  const sender = mercadopago(api)
  const { send, state, logs, refused } = await receiver(t, sender)
  for (const [status, body, level, reason] of [
    [404, '{"message":"Payment not found"}', 40, /does not know the payment/], [500, 'oops', 40, /answered 500/], [429, '', 40, /answered 429/], [200, '<html>', 40, /answered 200/],
    [302, '', 40, /could not be reached/], [401, '{"message":"invalid access token"}', 50, /answered 401: check MERCADOPAGO_ACCESS_TOKEN/], [403, '', 50, /answered 403: check/]
  ] as const) {
    api.answer = (_request, response) => response.writeHead(status, { location: '/elsewhere' }).end(body)
    t.equal((await send(sender.paid)).status, 503, `${status}`)
    t.match(logs.at(-1), { level, msg: 'webhook rejected', provider: 'mercadopago', outcome: 'unavailable', reason })
  }
  api.answer = (request) => request.socket.destroy()
  t.equal((await send(sender.paid)).status, 503, 'a connection that breaks')
  t.equal(await state(), undefined)
  t.strictSame(await refused(), [])
  api.answer = undefined
  t.equal((await send(sender.paid)).status, 200)
  t.match(await state(), { status: 'succeeded' })
})

t.test('an API that does not answer is waited for five seconds, also if it has begun to answer', async (t) => {
  const answers: RequestListener[] = [() => {}, (_request, response) => response.writeHead(200).write('{')]
  await Promise.all(answers.map(async (answer) => {
    const api = await fakeApi(t)
    const sender = mercadopago(api)
    const { send } = await receiver(t, sender)
    api.answer = answer
    const start = performance.now()
    t.equal((await send(sender.paid)).status, 503)
    const seconds = (performance.now() - start) / 1000
    t.ok(seconds > 4.5 && seconds < 15, `${seconds} s`)
  }))
})

t.test('during a rotation of the access token the second one is tried', async (t) => {
  const api = await fakeApi(t)
  const sender = mercadopago(api)
  const { send, state } = await receiver(t, sender, { env: { MERCADOPAGO_ACCESS_TOKEN: 'APP_USR-new,APP_USR-old' } })
  api.answer = ({ headers }, response) => headers.authorization === 'Bearer APP_USR-old' ? response.end(JSON.stringify(sender.paid)) : response.writeHead(401).end('{}')
  t.equal((await send(sender.paid)).status, 200)
  t.match(await state(ROOM), { status: 'succeeded' })
  t.strictSame(api.requests, ['/v1/payments/20359978 Bearer APP_USR-new', '/v1/payments/20359978 Bearer APP_USR-old'])
})
