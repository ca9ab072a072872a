// Results of payment providers: repeated, out of order, refused, and while the broker is away.
import t, { type Test } from 'tap'
import { Failure } from '../../src/errors.js'
import { Peer } from '../peer.js'
import { asaas, mercadopago, ROOM, stripe } from './bodies.js'
import { senders, type Sender } from './senders.js'
import { receiver } from './server.js'

const named = async (t: Test, name: string) => (await senders(t)).find((sender) => sender.name === name) as Sender

t.test('a result reaches both devices as a verified fact', async (t) => {
  for (const sender of await senders(t)) {
    const { app, send, state } = await receiver(t, sender)
    const shop = await Peer.inject(t, app)
    await shop.join(ROOM)
    t.equal((await send(sender.paid)).status, 200)
    t.match(await shop.next('PAYMENT_SUCCESS'), { source: 'api', payload: { roomId: ROOM } })
    t.match(await state(), { status: 'succeeded', paid: 99.9, outcome: { amount: 99.9, currency: 'BRL', verified: true } }, sender.name)
  }
})

t.test('three deliveries of one result are one event', async (t) => {
  for (const sender of await senders(t)) {
    const { app, send, events } = await receiver(t, sender)
    const shop = await Peer.inject(t, app)
    await shop.join(ROOM)
    for (let n = 0; n < 3; n++) t.equal((await send(sender.paid)).status, 200, sender.name)
    t.match(await events(), [{ type: 'PAYMENT_SUCCESS', seq: 1 }])
    await shop.settled()
    t.equal(shop.events.length, 1, sender.name)
    t.match((await app.inject({ url: '/metrics', headers: { authorization: 'Bearer key' } })).body, `{provider="${sender.name}",outcome="repeated"} 2`)
  }
})

t.test('two webhooks about one success are one event: a session and its intent, confirmed and received', async (t) => {
  for (const [name, messages] of [
    ['stripe', [stripe.intent('payment_intent.succeeded'), stripe.session('checkout.session.completed')]], ['asaas', [asaas.event('PAYMENT_CONFIRMED'), asaas.event('PAYMENT_RECEIVED')]]
  ] as const) {
    const { send, events } = await receiver(t, await named(t, name))
    for (const message of messages) t.equal((await send(message)).status, 200)
    t.equal((await events()).length, 1, name)
  }
})

t.test('a fact whose details have changed is an event of its own, and no conflict', async (t) => {
  const { send, events, refused, state } = await receiver(t, await named(t, 'mercadopago'))
  for (const day of ['01', '02', '02']) t.equal((await send(mercadopago.payment('pending', { date_of_expiration: `2026-12-${day}T10:00:00.000-03:00` }))).status, 200)
  t.equal((await events()).length, 2)
  t.strictSame(await refused(), [])
  t.match(await state(), { status: 'processing', outcome: { expiresAt: Date.parse('2026-12-02T10:00:00.000-03:00') } })
})

/** All orders of a list. */
const ordersOf = <Item>(items: readonly Item[]): Item[][] => items.length < 2
  ? [[...items]]
  : items.flatMap((first, index) => ordersOf(items.filter((_, other) => other !== index)).map((rest) => [first, ...rest]))

t.test('results in every order end in the same status', async (t) => {
  for (const sender of await senders(t)) {
    for (const [refund, status] of [[sender.partlyRefunded, 'partially_refunded'], [sender.refunded, 'refunded']] as const) {
      for (const order of ordersOf([sender.paid, refund, sender.pending ?? sender.paid])) {
        const { app, send, state } = await receiver(t, sender)
        for (const message of order) t.equal((await send(message)).status, 200)
        t.match(await state(), { status, paid: 99.9, refunded: status === 'refunded' ? 99.9 : 30 }, `${sender.name}: ${JSON.stringify(order).slice(0, 200)}`)
        await app.close()
      }
    }
  }
})

t.test('refunds add up: cumulative sums are not counted twice, single ones each once', async (t) => {
  for (const sender of await senders(t)) {
    const { send, state } = await receiver(t, sender)
    for (const message of [sender.paid, sender.partlyRefunded, sender.partlyRefunded]) t.equal((await send(message)).status, 200)
    t.match(await state(), { status: 'partially_refunded', refunded: 30 }, sender.name)
  }
  const { send, state } = await receiver(t, await named(t, 'stripe'))
  for (const message of [stripe.intent('payment_intent.succeeded'), stripe.charge(5000), stripe.charge(3000)]) await send(message)
  t.match(await state(), { status: 'partially_refunded', refunded: 50 }, 'the sums of Stripe in the wrong order')
  await send(stripe.charge(9990))
  t.match(await state(), { status: 'refunded', refunded: 99.9 })
})

t.test('the room is found by the reference of its link, by its id, or by the payment', async (t) => {
  for (const sender of await senders(t)) {
    const { ask, send, state, app } = await receiver(t, sender)
    t.equal(await ask('POST', '/api/rooms', { roomId: 'room-of-the-order', reference: ROOM, amount: '99.90', currency: 'BRL' }), 201)
    t.equal((await send(sender.paid)).status, 200)
    t.match(await state('room-of-the-order'), { status: 'succeeded', balance: 'exact' }, sender.name)
    t.equal(await state(ROOM), undefined, `${sender.name}: no second room`)
    if (sender.disputed) {
      t.equal((await send(sender.disputed.message)).status, 200, sender.name)
      t.match(await state('room-of-the-order'), { status: 'disputed' }, `${sender.name}: the dispute`)
    }
    await app.close()
  }
})

t.test('a dispute that names no room goes to the room of its payment, and is ignored while that is not known', async (t) => {
  for (const sender of (await senders(t)).filter(({ disputed }) => disputed?.isNamed === false)) {
    const { send, refused, state, logs } = await receiver(t, sender)
    const { message } = sender.disputed!
    t.equal((await send(message)).status, 200, sender.name)
    t.strictSame(await refused(), [])
    t.match(logs.filter(({ msg }) => msg === 'result of a provider names no room'), [{ level: 40, provider: sender.name, type: 'PAYMENT_DISPUTED' }])
    await send(sender.paid)
    t.equal((await send(message)).status, 200, `${sender.name}: its payment is known`)
    t.match(await state(), { status: 'disputed' })
  }
})

t.test('a result that breaks a rule is answered with 422, listed, logged and counted', async (t) => {
  for (const sender of await senders(t)) {
    const { app, ask, send, refused, logs } = await receiver(t, sender, { now: Date.now })
    await ask('POST', '/api/rooms', { roomId: ROOM })
    await ask('DELETE', `/api/rooms/${ROOM}`)
    const { status, body } = await send(sender.paid)
    t.equal(status, 422, sender.name)
    t.match(JSON.parse(body), { success: false, code: 'RESULT_REFUSED' })
    const row = { provider: sender.name, type: 'PAYMENT_SUCCESS', roomId: ROOM, code: 'ROOM_CLOSED', reason: 'The room is closed.' }
    t.match(await refused(), [{ ...row, timestamp: Number }])
    t.match(logs.filter(({ level }) => level === 50), [{ ...row, msg: 'result of a provider refused' }])
    t.match((await app.inject({ url: '/metrics', headers: { authorization: 'Bearer key' } })).body, `{provider="${sender.name}",outcome="refused"} 1`)
    t.equal((await app.inject('/api/webhooks/refused')).statusCode, 401, 'the list needs a key')
  }
})

t.test('a result with an invalid part is refused with the rule, and never in part believed', async (t) => {
  const { send, refused, state } = await receiver(t, await named(t, 'stripe'))
  for (const [more, reason] of [
    [{ currency: 'zzz' }, /payload\.currency/], [{ metadata: { roomId: 'pedido nº 5' } }, /id that is not valid/]
  ] as const) {
    t.equal((await send(stripe.intent('payment_intent.succeeded', { id: `pi_${reason.source.length}`, ...more }))).status, 422)
    t.match((await refused())[0], { reason })
  }
  t.equal(await state(), undefined)
})

t.test('while the broker is away the answer is 503, and the result is taken later', async (t) => {
  for (const sender of await senders(t)) {
    const { app, inject, send, state, refused } = await receiver(t, sender)
    const { broker } = app
    const { publish, roomNamed } = broker
    for (const [name, away] of [['publish', async () => new Failure('UNAVAILABLE')], ['roomNamed', async () => new Failure('UNAVAILABLE')]] as const) {
      Object.assign(broker, { [name]: away })
      const answer = await app.inject(sender.deliver(sender.paid))
      t.equal(answer.statusCode, 503, `${sender.name}: ${name}`)
      t.equal(answer.headers['retry-after'], '5')
      Object.assign(broker, { publish, roomNamed })
    }
    t.strictSame(await refused(), [], 'nothing was refused')
    t.equal((await inject(sender.deliver(sender.paid))).status, 200)
    t.equal((await send(sender.paid)).status, 200)
    t.match(await state(), { status: 'succeeded' }, sender.name)
  }
})
