// Deliveries that are not a provider's: refused before anything of them is believed. And bytes of all kinds, which never break the server.
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { adyen, ROOM, stripe } from './bodies.js'
import { senders, type Delivery, type Sender } from './senders.js'
import { receiver } from './server.js'

const MINUTE = 60_000

/** Deliveries without a signature or a token. */
const unsigned = (delivery: Delivery): Delivery => ({
  ...delivery,
  url: delivery.url.replace(/token=.*/, ''),
  headers: { 'content-type': 'application/json' },
  payload: delivery.payload.replace(/"hmacSignature":"[^"]*"/, '"x":"y"')
})

t.test('a delivery without the provider\'s signature, or with another one, is refused and changes nothing', async (t) => {
  for (const sender of await senders(t)) {
    const { app, inject, send, state, logs } = await receiver(t, sender)
    const genuine = sender.deliver(sender.paid)
    const wrong: Array<[string, Delivery]> = [
      ['unsigned', unsigned(genuine)], ['another secret', sender.deliver(sender.paid, { secret: sender.secrets[1] })], ['no body', { ...unsigned(genuine), payload: '' }],
      ...sender.forge ? [['changed', sender.forge(genuine)] as [string, Delivery]] : []
    ]
    for (const [what, delivery] of wrong) {
      const { status, body } = await inject(delivery)
      // Adyen's signature is within the body, so a body that is no JSON has none.
      t.equal(status, sender.name === 'adyen' && what === 'no body' ? 400 : 401, `${sender.name}: ${what}`)
      t.match(JSON.parse(body), { success: false, error: /./ })
    }
    t.equal(await state(), undefined, `${sender.name}: no room was opened`)
    t.match(logs.filter(({ msg }) => msg === 'webhook rejected'), wrong.map(() => ({ level: 40, provider: sender.name, reason: /./ })))
    t.equal((await send(sender.paid)).status, 200, `${sender.name}: the genuine one is taken`)
    await app.close()
  }
})

t.test('a signature that is old, or from the future, is refused: five minutes are the limit', async (t) => {
  const now = 1_796_000_000_000
  for (const sender of (await senders(t)).filter(({ isTimed }) => isTimed)) {
    // The library of Standard Webhooks has the clock of the process.
    const time = sender.name === 'standard' ? Date.now() : now
    const { send, state } = await receiver(t, sender, { now: () => time })
    for (const [offset, status] of [[-6 * MINUTE, 401], [6 * MINUTE, 401], [-365 * 24 * 60 * MINUTE, 401]] as const) t.equal((await send(sender.paid, { time: time + offset })).status, status, `${sender.name}: ${offset}`)
    t.equal(await state(), undefined)
    for (const offset of [-4 * MINUTE, 4 * MINUTE]) t.equal((await send(sender.paid, { time: time + offset })).status, 200, `${sender.name}: ${offset}`)
  }
})

t.test('a signed body that is no JSON object is answered with 400', async (t) => {
  for (const sender of await senders(t)) {
    const { send, state } = await receiver(t, sender)
    for (const raw of ['{', 'null', '[]', '5', '"x"', '\u0000']) t.equal((await send(sender.paid, { raw })).status, 400, `${sender.name}: ${raw}`)
    t.equal(await state(), undefined)
  }
})

t.test('during a rotation both secrets are accepted, afterwards the old one no longer', async (t) => {
  for (const sender of await senders(t)) {
    const [current, next] = sender.secrets
    for (const [secrets, taken, refused] of [[`${current}, ${next}`, [current, next], []], [`${next},${current}`, [current, next], []], [next, [next], [current]]] as const) {
      const { app, send } = await receiver(t, sender, { env: { [sender.setting]: secrets } })
      for (const secret of taken) t.equal((await send(sender.paid, { secret })).status, 200, sender.name)
      for (const secret of refused) t.equal((await send(sender.paid, { secret })).status, 401, sender.name)
      await app.close()
    }
  }
})

const named = async (t: Parameters<typeof senders>[0], name: string) => (await senders(t)).find((sender) => sender.name === name) as Sender

t.test('Stripe: several signatures, and schemes that are not known, in one header', async (t) => {
  const sender = await named(t, 'stripe')
  const { inject } = await receiver(t, sender)
  const delivery = sender.deliver(sender.paid)
  const [time, v1] = delivery.headers['stripe-signature']!.split(',') as [string, string]
  for (const [header, status] of [
    [`${time},v1=${'0'.repeat(64)},${v1},v0=abc`, 200], [`${time},v9=zzz,${v1}`, 200], [`${time},v0=${v1.slice(3)}`, 401], [v1, 401], ['', 401], [`${time},v1=é`, 401], ['t=,v1=', 401]
  ] as const) t.equal((await inject({ ...delivery, headers: { ...delivery.headers, 'stripe-signature': header } })).status, status, header)
})

t.test('Mercado Pago: the time in seconds or in milliseconds, the id in lower case, and not twice in one header', async (t) => {
  const sender = await named(t, 'mercadopago')
  const now = 1_796_000_000_000
  const { inject } = await receiver(t, sender, { now: () => now })
  const delivery = sender.deliver(sender.paid, { time: now })
  const sign = (id: string, ts: number) => `ts=${ts},v1=${createHmac('sha256', sender.secrets[0]).update(`id:${id};request-id:${delivery.headers['x-request-id']};ts:${ts};`).digest('hex')}`
  const statusWith = async (signature: string, url = delivery.url) => (await inject({ ...delivery, url, headers: { ...delivery.headers, 'x-signature': signature } })).status
  for (const [ts, status] of [[now / 1000, 200], [now, 200], [now - 4 * MINUTE, 200], [now - 6 * MINUTE, 401], [now + 6 * MINUTE, 401]] as const) t.equal(await statusWith(sign('20359978', ts)), status, `${ts}`)
  t.equal(await statusWith(sign('ord01jq', now / 1000), '/webhooks/mercadopago?data.id=ORD01JQ&type=order'), 200, 'an order, whose id has letters')
  const old = sign('20359978', (now - 60 * MINUTE) / 1000)
  for (const header of [`ts=${now / 1000},${old}`, `${old},ts=${now / 1000}`]) t.equal(await statusWith(header), 401, 'an old signature beside a new time')
})

t.test('Adyen: one item that is not signed refuses the whole batch', async (t) => {
  const sender = await named(t, 'adyen')
  const { inject, state } = await receiver(t, sender)
  const good = JSON.parse(sender.deliver(adyen.batch(adyen.item('AUTHORISATION'))).payload).notificationItems[0]
  const batch = (...items: unknown[]) => inject({ ...sender.deliver({}), payload: JSON.stringify({ live: 'false', notificationItems: items }) })
  const { amount: _, ...withoutAmount } = good.NotificationRequestItem
  for (const [what, item] of [
    ['unsigned', { NotificationRequestItem: adyen.item('REFUND') }], ['another amount', { NotificationRequestItem: { ...good.NotificationRequestItem, amount: { currency: 'BRL', value: 1 } } }],
    ['no amount', { NotificationRequestItem: withoutAmount }], ['no item', {}], ['a text as signature', { NotificationRequestItem: { ...good.NotificationRequestItem, additionalData: { hmacSignature: 'x' } } }]
  ] as const) {
    t.equal((await batch(good, item)).status, 401, what)
    t.equal((await batch(item)).status, 401, what)
  }
  t.equal((await batch()).status, 401, 'no items')
  t.equal(await state(), undefined)
  t.equal((await batch(good, good)).status, 200)
})

t.test('PagBank: the signature may be in upper case', async (t) => {
  const sender = await named(t, 'pagbank')
  const { inject } = await receiver(t, sender)
  const delivery = sender.deliver(sender.paid)
  t.equal((await inject({ ...delivery, headers: { 'x-authenticity-token': delivery.headers['x-authenticity-token']!.toUpperCase() } })).status, 200)
})

t.test('Pix: banks append /pix to the path, to the token, or to another parameter', async (t) => {
  const sender = await named(t, 'pix')
  const token = sender.secrets[0]
  for (const [path, status] of [
    [`/webhooks/pix/pix?token=${token}`, 200], [`/webhooks/pix?token=${token}/pix`, 200], [`/webhooks/pix?token=${token}&ignorar=/pix`, 200],
    ['/webhooks/pix/pix?token=wrong', 401], ['/webhooks/pix/pix', 401], [`/webhooks/pix?token=${token}&token=${token}`, 401], [`/webhooks/pix?token=${token}/pix/pix`, 401], [`/webhooks/stripe/pix?token=${token}`, 404]
  ] as const) {
    const { app, inject, state } = await receiver(t, sender)
    t.equal((await inject({ ...sender.deliver(sender.paid), url: path })).status, status, path)
    t.equal((await state())?.status, status === 200 ? 'succeeded' : undefined)
    await app.close()
  }
})

t.test('a genuine body with parts that are missing, or of another type, is answered and never breaks the server', async (t) => {
  const junk = fc.constantFrom(undefined, null, '', 'x', 0, -1, 1.5, Infinity, true, [], [null], {}, { x: 1 }, 'toString', '__proto__')
  for (const sender of await senders(t)) {
    const { inject, logs } = await receiver(t, sender)
    let deliveries = 0
    const messages = [sender.paid, sender.refunded, sender.partlyRefunded, sender.pending ?? sender.paid, sender.disputed?.message ?? sender.paid]
    await fc.assert(fc.asyncProperty(fc.constantFrom(...messages), fc.array(fc.tuple(fc.nat(), junk), { minLength: 1, maxLength: 3 }), async (message, changes) => {
      const changed = changes.reduce((value, [place, part]) => withPart(value, place, part), message)
      let delivery: Delivery
      try {
        delivery = sender.deliver(changed)
      } catch {
        return // The provider's own library cannot sign this.
      }
      // From another address each time, since there is a limit per address and second.
      const { status } = await inject({ ...delivery, remoteAddress: `10.0.${deliveries >> 8}.${deliveries++ & 255}` })
      if (![200, 400, 401, 422, 503].includes(status)) throw new Error(`${sender.name} answers ${status} to ${delivery.payload}`)
    }), { numRuns: 100, seed: 7 })
    t.strictSame(logs.filter(({ err }) => err), [], `${sender.name}: no error was thrown`)
  }
})

/** Replaces one part of a message. @param place number of the part, in the order of its keys */
function withPart (message: object, place: number, part: unknown): object {
  const copy = structuredClone(message)
  const places: Array<[Record<string, unknown>, string]> = []
  const visit = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key])
      visit((value as Record<string, unknown>)[key])
    }
  }
  visit(copy)
  const [parent, key] = places[place % places.length]!
  parent[key] = part
  return copy
}

t.test('a delivery under another room than the signed one is refused', async (t) => {
  const sender = await named(t, 'stripe')
  const { inject, state } = await receiver(t, sender)
  const delivery = sender.deliver(stripe.intent('payment_intent.succeeded'))
  t.equal((await inject({ ...delivery, payload: delivery.payload.replace(ROOM, 'another_order') })).status, 401)
  t.equal(await state('another_order'), undefined)
})
