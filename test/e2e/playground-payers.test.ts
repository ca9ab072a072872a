// The pages of the playground say what is true: of a phone that has opened the link, of a second payer, of a second transaction, and of steps to come.
import t from 'tap'
import { openRoom, row, startConsole } from '../console.js'
import { needsChromium } from '../chromium.js'
import { violations } from '../axe.js'
import { Peer } from '../peer.js'
import { heading, linkOf, PHONE, report, roomOf, setUp } from '../playground.js'

/** In the page. */
declare const getComputedStyle: (element: unknown, part?: string) => { readonly backgroundColor: string, readonly borderTopColor: string }

t.test('With PAYERS=1 a second phone waits, and takes over when the first is gone', needsChromium, async (t) => {
  const { desk, openPhone } = await setUp(t, { PAYERS: '1' })
  await desk.getByText('The payer has the link but has not opened it yet.').waitFor()
  const first = await openPhone()
  await heading(first, 'Your order')
  await desk.getByText('The payer has opened the link on another device.').waitFor()
  const second = await openPhone()
  await heading(second, 'Someone else is paying')
  await second.getByText('This page goes on by itself when that device has left.').waitFor()
  t.strictSame(await violations(second), [])
  t.equal(await desk.locator('#warnings li').count(), 0)
  await first.locator('#proceed').click()
  await first.context().close()
  await heading(second, 'How do you want to pay?')
})

t.test('A second payer and a second transaction are warnings for the shop, at its desk and in the console', needsChromium, async (t) => {
  const { desk, app, openPhone, open, origin, lines } = await setUp(t, { CONSOLE: 'true' })
  const [first, second] = [await openPhone(), await openPhone()]
  await heading(first, 'Your order')
  await heading(second, 'Your order')
  await desk.getByText('2 payers are here. Only one of them should pay.').waitFor()
  const roomId = roomOf(first)
  await report(app, roomId, 'PAYMENT_SUCCESS', { transactionId: 'tx_1' })
  await report(app, roomId, 'PAYMENT_SUCCESS', { transactionId: 'tx_1' })
  await heading(first, 'Paid')
  t.equal(await desk.locator('#warnings li').count(), 1, 'a repeated transaction is none more')
  await report(app, roomId, 'PAYMENT_SUCCESS', { transactionId: 'tx_2' })
  const warning = '2 different transactions were reported: tx_1, tx_2. Make sure that the payer is charged once.'
  await desk.getByText(warning).waitFor()
  const console = await open(`${origin}/console/`, { locale: 'en-US' })
  await row(console, roomId).waitFor()
  await openRoom(console, roomId)
  await console.locator('#room-warnings').getByText(warning).waitFor()
  await console.locator('#room-warnings').getByText('2 payers are here.').waitFor()
  for (const phone of [first, second]) await phone.context().close()
  await desk.getByText('2 payers are here.').waitFor({ state: 'detached' })
  await desk.getByText('The payer has opened the link, and is not here now.').waitFor()
  await desk.reload()
  await desk.getByText(warning).waitFor()
  t.strictSame(lines, [])
})

t.test('Steps to come are not in the past tense, each says its state, and fields have words', needsChromium, async (t) => {
  const { desk, app, lines } = await setUp(t)
  const roomId = new URLSearchParams(new URL(await linkOf(desk)).hash.slice(1)).get('room')!
  const phone = await Peer.inject(t, app)
  await phone.join(roomId, 'phone')
  const steps = () => desk.locator('#steps li').evaluateAll((items) => items.map((item: any) => [...item.querySelectorAll('span:not(.detail)')].map((part) => part.textContent).join(': ')))
  t.strictSame(await steps(), [
    'Sees the summary: now', 'Continues to payment: to come', 'Chooses a method: to come', 'Fills in the data: to come', 'Presses pay: to come', 'Result: to come'
  ])
  phone.send('DATA_FILLED', { roomId, fields: ['cardNumber', 'birthday'] })
  await desk.getByText('Card number, birthday').waitFor()
  t.strictSame((await steps()).slice(3), ['Filled in the data: done', 'Presses pay: now', 'Result: to come'])
  phone.send('PAYMENT_ERROR', { roomId, error: 'no funds' })
  await desk.locator('#steps .failed').waitFor()
  t.equal((await steps()).at(-1), 'Result: failed')
  await report(app, roomId, 'PAYMENT_SUCCESS')
  await desk.locator('#steps .done[data-step="RESULT"]').waitFor()
  t.equal((await steps()).at(-1), 'Result: done')
  t.strictSame(lines, [])
})

t.test('In forced colours the QR code keeps its own, and each mark of a step differs from its ground', needsChromium, async (t) => {
  const { desk, open, origin, lines } = await setUp(t)
  await linkOf(desk)
  const page = await open(`${origin}/playground/`, { ...PHONE, forcedColors: 'active', colorScheme: 'dark' })
  await linkOf(page)
  t.equal(await page.locator('#qr').evaluate((image) => getComputedStyle(image).backgroundColor), 'rgb(255, 255, 255)')
  const marks = await page.locator('#steps li').evaluateAll((items) => items.map((item) => getComputedStyle(item, '::before').borderTopColor))
  const ground = await page.locator('#device1').evaluate((panel) => getComputedStyle(panel).backgroundColor)
  t.equal(marks.length, 6)
  t.notOk(marks.includes(ground))
  t.strictSame(await violations(page), [])
  t.strictSame(lines, [])
})

t.test('The QR code has four empty modules on each side', needsChromium, async (t) => {
  const { desk } = await setUp(t)
  await linkOf(desk)
  const svg = decodeURIComponent((await desk.getAttribute('#qr', 'src'))!)
  const size = Number(/viewBox="0 0 (\d+) /.exec(svg)![1])
  // A QR code has 17 + 4 n modules.
  t.equal((size - 8 - 17) % 4, 0)
  const positions = [...svg.matchAll(/M(\d+) (\d+)|M(\d+),(\d+)/g)].flatMap(([, a, b, c, d]) => [Number(a ?? c), Number(b ?? d)])
  t.ok(positions.length === 0 || Math.min(...positions) >= 4, 'no module begins before the fourth')
})

t.test('On an open server the word of a backend is not confirmed either, and the phone shows the verified outcome in place of its own', needsChromium, async (t) => {
  const { desk, app, openPhone } = await setUp(t)
  const phone = await openPhone()
  await heading(phone, 'Your order')
  const roomId = roomOf(phone)
  await app.inject({ method: 'POST', url: `/api/rooms/${roomId}/events`, payload: { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx_9' } } })
  await desk.locator('#steps').getByText('Paid · tx_9 · not confirmed').waitFor()
  await heading(phone, 'Paid')
  await report(app, roomId, 'PAYMENT_ERROR', { error: 'No funds' })
  await heading(phone, 'Payment failed')
  await phone.locator('#reason', { hasText: 'No funds' }).waitFor()
  const { ask, open } = await startConsole(t)
  await ask('POST', '/api/rooms', { roomId: 'r' })
  await ask('POST', '/api/rooms/r/events', { type: 'PAYMENT_SUCCESS' })
  await row(await open(), 'r').getByText('not confirmed').waitFor()
})
