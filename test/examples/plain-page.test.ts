// The example of two plain pages: the shop creates a payment and prints one receipt, the payer's page opens its link, and neither page holds a key.
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { updateLink } from '../playground.js'
import { clientModules, startExample } from './example.js'

const KEY = 'k-1234'
const settings = { API_KEYS: KEY, TOKEN_SECRET: 's'.repeat(32), RESULTS_FROM: 'backend' }
const headers = { authorization: `Bearer ${KEY}` }

/** Starts the shop in front of a server, and opens its page. `printed` counts the receipts that were printed. */
async function openShop (t: Test) {
  const { app, port } = await listen(t, { env: settings })
  const { origin } = await startExample(t, 'examples/plain-page/server.js', { KEY, SERVER: `http://127.0.0.1:${port}`, CLIENT: await clientModules(t) })
  const { page: shop, lines } = await openPage(t, `${origin}/shop.html`)
  let printed = 0
  await shop.exposeFunction('print', () => { printed++ })
  const rooms = async () => (await app.inject({ url: '/api/rooms', headers })).json().data.rooms.map(({ roomId }: { roomId: string }) => roomId) as string[]
  const newPayment = async () => {
    const before = shop.url()
    await shop.locator('#new').click()
    await shop.waitForURL(({ href }) => href !== before)
    await shop.locator('#link[href]').waitFor()
    const link = (await shop.getAttribute('#link', 'href'))!
    return { link, room: link.split('=')[1]! }
  }
  const openPhone = async (link: string) => {
    const phone = await (await shop.context().browser()!.newContext()).newPage()
    phone.on('pageerror', ({ message }) => lines.push(message))
    await phone.goto(link)
    await shop.getByText('ENTERED_SUMMARY').waitFor()
    return phone
  }
  const report = (room: string, type: string, payload: object, id?: string) => app.inject({ method: 'POST', url: `/api/rooms/${room}/events`, headers, payload: { type, payload, ...(id && { id }) } })
  const types = async (room: string) => (await app.inject({ url: `/api/rooms/${room}/events`, headers })).json().data.events.map(({ type }: { type: string }) => type) as string[]
  return { app, shop, lines, rooms, newPayment, openPhone, report, types, printed: () => printed }
}

const reload = async (shop: Page, text: string) => {
  await shop.reload()
  await shop.getByText(text).waitFor()
}

t.test('A payment goes from the shop\'s page to the payer\'s and back', needsChromium, async (t) => {
  const { app, shop, lines, newPayment, openPhone, report, types } = await openShop(t)
  const { link, room } = await newPayment()
  t.match(link, /\/pay\.html\?payment=[\w-]{22}$/, 'the link holds no token')
  const phone = await openPhone(link)
  await phone.locator('#proceed').click()
  await shop.getByText('CLICKED_PROCEED').waitFor()
  await phone.reload()
  await phone.locator('#pay').click()
  await shop.getByText('CLICKED_PAY').waitFor()
  await phone.getByText('Waiting for your bank').waitFor()
  await report(room, 'PAYMENT_SUCCESS', { amount: 99.9 }, 'psp-1')
  await phone.getByText('Paid.').waitFor()
  await shop.getByText('succeeded').waitFor()
  t.equal(await shop.locator('#state').innerText(), 'succeeded · confirmed')
  t.strictSame(await types(room), ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY', 'PAYMENT_SUCCESS'], 'the reload published no event twice')
  t.strictSame(lines, [])

  await app.inject({ method: 'DELETE', url: `/api/rooms/${room}`, headers })
  await phone.reload()
  await phone.getByText('This link is no longer valid.').waitFor()
})

t.test('Only the button makes a link, and a reload of the shop\'s page stays with its payment', needsChromium, async (t) => {
  const { shop, lines, rooms, newPayment, openPhone } = await openShop(t)
  t.strictSame(await rooms(), [], 'the page alone makes no link')
  const { link, room } = await newPayment()
  await openPhone(link)
  await reload(shop, 'ENTERED_SUMMARY')
  t.equal(await shop.getAttribute('#link', 'href'), link)
  t.strictSame(await rooms(), [room])
  const second = await newPayment()
  t.not(second.room, room)
  await shop.getByText('waiting for the payer').waitFor()
  await shop.goBack()
  await shop.getByText('ENTERED_SUMMARY').waitFor()
  t.strictSame((await rooms()).sort(), [room, second.room].sort())
  t.strictSame(lines, [])
})

t.test('A receipt is printed once, although three webhooks tell the result and the page is reloaded', needsChromium, async (t) => {
  const { shop, newPayment, report, printed } = await openShop(t)
  const { room } = await newPayment()
  const result = { amount: 99.9, currency: 'BRL', transactionId: 'tx_1' }
  for (const id of ['evt-1', 'evt-2', 'evt-3']) t.equal((await report(room, 'PAYMENT_SUCCESS', result, id)).statusCode, 201)
  await shop.getByText('RECEIPT · 99.90 BRL · tx_1').waitFor()
  await reload(shop, 'RECEIPT')
  await report(room, 'PAYMENT_SUCCESS', result, 'evt-4')
  await reload(shop, 'RECEIPT')
  t.equal(printed(), 1)
})

t.test('After a failure the payer\'s button is back, the shop shows the retry, and no receipt is printed', needsChromium, async (t) => {
  const { shop, lines, newPayment, openPhone, report, types, printed } = await openShop(t)
  const { link, room } = await newPayment()
  const phone = await openPhone(link)
  await phone.locator('#proceed').click()
  await phone.locator('#pay').click()
  await report(room, 'PAYMENT_ERROR', { error: 'Card declined', code: '51' })
  await phone.getByText('Payment failed.').waitFor()
  await shop.getByText('failed · Card declined · confirmed').waitFor()
  await phone.locator('#pay').click()
  await phone.getByText('Waiting for your bank').waitFor()
  await shop.getByText('Attempt 2, after: Card declined · 51').waitFor()
  t.equal(await shop.locator('#state').innerText(), 'CLICKED_PAY')
  t.equal(await phone.locator('button:visible').count(), 0)
  await reload(shop, 'Attempt 2')
  t.equal(printed(), 0)
  await report(room, 'PAYMENT_SUCCESS', { amount: 99.9, currency: 'BRL' })
  await shop.getByText('RECEIPT').waitFor()
  t.equal(printed(), 1)
  t.strictSame(await types(room), ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY', 'PAYMENT_ERROR', 'CLICKED_PAY', 'PAYMENT_SUCCESS'])
  t.strictSame(lines, [])
})

t.test('A part of the amount is no success, and prints no receipt until the rest has come', needsChromium, async (t) => {
  const { shop, lines, newPayment, openPhone, report, printed } = await openShop(t)
  const { link, room } = await newPayment()
  const phone = await openPhone(link)
  await phone.getByText('Insurance, 99.90 BRL').waitFor()
  await report(room, 'PAYMENT_SUCCESS', { amount: 40, currency: 'BRL', transactionId: 'tx_1' })
  await shop.getByText('processing · 40 of 99.9 · confirmed', { exact: true }).waitFor()
  await phone.getByText('being processed').waitFor()
  t.equal(printed(), 0)
  await report(room, 'PAYMENT_SUCCESS', { amount: '59.90', currency: 'brl', transactionId: 'tx_2' })
  await phone.getByText('Paid.').waitFor()
  await shop.getByText('RECEIPT · 99.90 BRL').waitFor()
  t.equal(printed(), 1)
  t.strictSame(lines, [])
})

t.test('Both pages show the other results, and no button after the link\'s deadline until it is extended', needsChromium, async (t) => {
  const { app, shop, lines, newPayment, openPhone, report } = await openShop(t)
  const { link, room } = await newPayment()
  const phone = await openPhone(link)
  await phone.locator('#proceed:visible').waitFor()
  await updateLink(app, room, { ttlSeconds: 1 }, headers)
  await phone.getByText('This link has expired.').waitFor()
  t.equal(await phone.locator('button:visible').count(), 0)
  await shop.getByText('expired', { exact: true }).waitFor()
  await updateLink(app, room, { ttlSeconds: 900 }, headers)
  await phone.locator('#proceed:visible').waitFor()
  const results: Array<[type: string, payload: object, phone: string, shop: string]> = [
    ['PAYMENT_PENDING', { reason: 'in_analysis' }, 'being processed', 'processing · in_analysis · confirmed'],
    ['PAYMENT_CANCELLED', { reason: 'out of stock' }, 'was cancelled', 'cancelled · out of stock · confirmed'],
    ['PAYMENT_SUCCESS', { amount: 100, currency: 'BRL' }, 'Paid.', 'succeeded · late · confirmed'],
    ['PAYMENT_REFUNDED', { amount: 40, currency: 'BRL' }, 'A part of your money', 'partially_refunded · late · confirmed'],
    ['PAYMENT_REFUNDED', {}, 'Your money was paid back', 'refunded · late · confirmed'],
    ['PAYMENT_DISPUTED', { reason: 'fraud' }, 'disputed', 'disputed · fraud · late · confirmed']
  ]
  for (const [type, payload, payer, seller] of results) {
    t.equal((await report(room, type, payload)).statusCode, 201)
    await phone.getByText(payer).waitFor()
    await shop.getByText(seller, { exact: true }).waitFor()
    t.equal(await phone.locator('button:visible').count(), 0, type)
  }
  t.strictSame(lines, [])
})

t.test('The backend serves the two pages, the client and tokens, and nothing else', async (t) => {
  const { port } = await listen(t, { env: settings })
  const { origin } = await startExample(t, 'examples/plain-page/server.js', { KEY, SERVER: `http://127.0.0.1:${port}`, CLIENT: await clientModules(t) })
  const ask = async (path: string, method = 'GET') => (await fetch(origin + path, { method }))
  for (const path of ['/', '/server.js', '/payments.js', '/client/../server.js', '/client/%2e%2e/server.js', '/payments']) t.equal((await ask(path)).status, 404, path)
  t.match((await ask('/client/index.js')).headers.get('content-type'), 'text/javascript')
  const { roomId, ...rest } = await (await ask('/payments', 'POST')).json() as { roomId: string }
  t.strictSame(rest, {})
  for (const [path, role] of [['watch', 'device1'], ['token', 'device2']]) {
    const text = await (await ask(`/payments/${roomId}/${path}`, 'POST')).text()
    const { token, ...other } = JSON.parse(text)
    t.strictSame(Object.keys(other).sort(), ['expiresAt', 'url'])
    t.match(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()), { role, room: roomId })
    t.notMatch(text, KEY)
    t.equal((await ask(`/payments/${'x'.repeat(22)}/${path}`, 'POST')).status, 404, 'a missing room gets no token')
  }
})
