// The operator's console: live payments, filters, one payment and the actions on it, keys, webhooks, and its use by keyboard and screen reader.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import type { Page } from 'playwright-core'
import { enterKey, openRoom, rooms, row, rows, startConsole } from '../console.js'
import { needsChromium } from '../chromium.js'
import { overflow } from '../playground.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

const KEYS = { API_KEYS: 'a-key,read:r-key', TOKEN_SECRET: 'x'.repeat(32) }
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Lines of a browser's log without those about an answer that the test provokes. */
const unexpected = (lines: string[]) => lines.filter((line) => !/status of (401|403|404|409|410)/.test(line))

/** Rules that the page breaks, each with the elements. */
async function violations (page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target).join(', ')))`)
}

t.test('Payments appear as they happen, the newest first, each with its amount, status, step and devices', needsChromium, async (t) => {
  const { app, ask, open, lines } = await startConsole(t, { STALL_SECONDS: '1' })
  await ask('POST', '/api/rooms', { roomId: 'first', amount: 99.9, currency: 'BRL', reference: 'order 1' })
  const page = await open()
  await row(page, 'first').waitFor()
  t.match(await rows(page), [/^order 1 \/ first \| R\$99\.90 \| Open \| Not begun \| \d+ s \| 0$/])
  await page.locator('#live[data-status="online"]').waitFor()

  await ask('POST', '/api/rooms', { roomId: 'second' })
  await row(page, 'second').waitFor()
  t.strictSame(await rooms(page), ['second', 'first'])
  const phone = await Peer.inject(t, app)
  await phone.join('first', 'phone')
  phone.send('CLICKED_PAY', { roomId: 'first', deviceId: 'phone' })
  await row(page, 'first').getByText('Pressed pay').waitFor()
  await row(page, 'first').getByText('Stalled').waitFor()
  t.equal(await page.locator('[data-view="stalled"] .number').innerText(), '1')
  phone.send('PAYMENT_SUCCESS', { roomId: 'first', deviceId: 'phone', amount: 99.9, currency: 'BRL' })
  await row(page, 'first').getByText('not confirmed').waitFor()
  t.match((await rows(page))[1], /\| Paid \/ not confirmed \| Pressed pay \|/)
  await until('the device is counted', async () => /\| 1$/.test((await rows(page))[1]!))
  await ask('DELETE', '/api/rooms/first')
  await row(page, 'first').waitFor({ state: 'detached' })
  t.strictSame(await rooms(page), ['second'])
  t.strictSame(lines, [])
})

t.test('The list is filtered by view, status, step and text, and says when nothing matches', needsChromium, async (t) => {
  const { ask, open, lines } = await startConsole(t)
  const page = await open()
  await page.getByText('No payment is live.').waitFor()
  for (let i = 0; i < 30; i++) await ask('POST', '/api/rooms', { roomId: `r${i}`, reference: `Order ${i}` })
  await ask('POST', '/api/rooms/r3/events', { type: 'CLICKED_PAY' })
  await ask('POST', '/api/rooms/r4/events', { type: 'PAYMENT_ERROR', payload: { error: 'no' } })
  await page.locator('#count', { hasText: '30 of 30' }).waitFor()
  await page.locator('[data-view="failures"] .number', { hasText: '1' }).waitFor()
  t.equal((await rooms(page)).length, 25)
  await page.getByRole('button', { name: 'Older' }).click()
  t.strictSame(await rooms(page), ['r4', 'r3', 'r2', 'r1', 'r0'])
  await page.getByRole('button', { name: 'Failed' }).click()
  t.strictSame(await rooms(page), ['r4'], 'a filter begins at the first page')
  await page.getByRole('button', { name: 'Live' }).click()
  await page.getByLabel('Status').selectOption('failed')
  t.strictSame(await rooms(page), ['r4'])
  await page.getByLabel('Status').selectOption('')
  await page.getByLabel('Step').selectOption('CLICKED_PAY')
  t.strictSame(await rooms(page), ['r3'])
  await page.getByLabel('Step').selectOption('')
  await page.getByLabel('Reference or room id').fill('ORDER 12')
  t.strictSame(await rooms(page), ['r12'])
  await page.getByLabel('Reference or room id').fill('nothing')
  await page.getByText('No payment matches.').waitFor()
  t.strictSame(lines, [])
})

t.test('With a key of a backend a payment is looked into, its result published, its link extended and made, and it is closed', needsChromium, async (t) => {
  const { app, ask, open, lines } = await startConsole(t, KEYS)
  await ask('POST', '/api/rooms', { roomId: 'r', amount: 50, currency: 'BRL', reference: 'order 7', ttlSeconds: 60 })
  await ask('POST', '/api/rooms/r/events', { type: 'PAYMENT_METHOD_CHANGED', payload: { method: 'pix' } })
  const page = await open()
  await enterKey(page, 'wrong')
  await page.getByText('The server rejected this key.').waitFor()
  await enterKey(page, 'a-key')
  await row(page, 'r').waitFor()
  await openRoom(page, 'r')
  t.equal(await page.locator('#room-title').innerText(), 'order 7')
  t.match(await page.locator('#room-events').innerText(), /PAYMENT_METHOD_CHANGED[^]*method: pix/)

  await page.getByText('Publish a result').click()
  await page.getByLabel('Transaction id').fill('tx_1')
  t.equal(await page.getByLabel('Amount, such as 99.90').inputValue(), '50')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await page.locator('#room-status', { hasText: 'Paid · R$50.00 · tx_1 · confirmed' }).waitFor()
  await page.locator('#room-events', { hasText: 'PAYMENT_SUCCESS' }).waitFor()
  await row(page, 'r').getByText('confirmed').waitFor()
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await page.locator('[data-action="publishResult"] .answer-line[data-ok="true"]').waitFor()
  t.equal((await ask('GET', '/api/rooms/r')).seq, 2, 'a second press publishes no second result')

  const { expiresAt } = await ask('GET', '/api/rooms/r')
  await page.getByText('Extend the link').click()
  await page.getByLabel('New deadline, from now').selectOption('3600')
  await page.getByRole('button', { name: 'Extend', exact: true }).click()
  await page.locator('[data-action="extend"] .answer-line[data-ok="true"]').waitFor()
  t.ok((await ask('GET', '/api/rooms/r')).expiresAt > expiresAt + 3_000_000)

  await page.getByText('Make a link for the payer').click()
  await page.getByRole('button', { name: 'Make the link' }).click()
  await page.locator('#minted').waitFor()
  const link = new URL(await page.locator('#minted').inputValue())
  t.equal(link.pathname, '/playground/pay.html')
  const { room, token } = Object.fromEntries(new URLSearchParams(link.hash.slice(1)))
  t.equal(room, 'r')
  t.match(await app.tokens!.verify(token!), { principal: 'device2', roomId: 'r' })

  await page.locator('#close-room').click()
  await page.getByRole('button', { name: 'Keep it open' }).click()
  t.equal((await ask('GET', '/api/rooms/r')).roomId, 'r')
  await page.locator('#close-room').click()
  await page.locator('dialog').getByRole('button', { name: 'Close the payment' }).click()
  await page.getByText('This payment has ended').waitFor()
  await row(page, 'r').waitFor({ state: 'detached' })
  t.ok(await page.locator('#actions').isHidden())

  await page.getByRole('button', { name: 'Forget the key' }).click()
  await page.getByLabel('This server requires an API key').waitFor()
  t.equal(await page.evaluate('sessionStorage.length'), 0)
  t.strictSame(unexpected(lines), [])
})

t.test('A key that only reads sees all and can do nothing, and without keys a result is not confirmed', needsChromium, async (t) => {
  const { ask, open, lines } = await startConsole(t, KEYS)
  await ask('POST', '/api/rooms', { roomId: 'r' })
  const page = await open()
  await enterKey(page, 'r-key')
  await page.getByText('This key can only read').waitFor()
  await openRoom(page, 'r')
  t.ok(await page.locator('#actions').isHidden())
  t.equal(await page.locator('#room button:visible').count(), 0)

  const other = await startConsole(t)
  await other.ask('POST', '/api/rooms', { roomId: 'r' })
  const open2 = await other.open()
  await row(open2, 'r').waitFor()
  await openRoom(open2, 'r')
  await open2.getByText('Publish a result').click()
  t.strictSame(await open2.locator('[name="type"] option').allInnerTexts(), ['Paid', 'Failed'], 'only what a device may claim')
  await open2.getByText('the result counts as not confirmed').waitFor()
  await open2.getByRole('button', { name: 'Publish', exact: true }).click()
  await open2.locator('#room-status', { hasText: 'Paid · not confirmed' }).waitFor()
  t.strictSame(unexpected([...lines, ...other.lines]), [])
})

t.test('Refused results and webhooks that were not delivered are shown, and a webhook is sent again', needsChromium, async (t) => {
  const { app, ask, open, lines, origin } = await startConsole(t)
  await ask('POST', '/api/rooms', { roomId: 'r' })
  await app.webhooks.refused.add({ provider: 'stripe', type: 'PAYMENT_SUCCESS', roomId: 'r', code: 'INVALID_FRAME', reason: 'payload.currency: expected a code', timestamp: 5 })
  const page = await open()
  await page.locator('#refused-list', { hasText: 'payload.currency: expected a code' }).waitFor()
  await page.locator('#refused-list').getByRole('button', { name: 'r' }).click()
  await page.locator('#room-title', { hasText: 'r' }).waitFor()

  // The list of sent webhooks as this page expects it: the panel is hidden on a server that does not send any.
  const delivery = { id: 'msg_1', roomId: 'r', type: 'payment.succeeded', status: 'failed', attempts: 9, lastStatus: 503, nextTryAt: null, timestamp: 5 }
  const retried: string[] = []
  const info = await (await fetch(origin)).json() as { endpoints: object }
  await page.context().route(`${origin}/`, (route) => route.fulfill({ json: { ...info, endpoints: { ...info.endpoints, listWebhookDeliveries: 'GET /api/webhooks/deliveries' } } }))
  await page.context().route('**/api/webhooks/deliveries*', (route) => route.fulfill({ json: { success: true, data: { deliveries: [delivery, { ...delivery, id: 'msg_2', status: 'delivered' }] }, timestamp: 5 } }))
  await page.context().route('**/api/webhooks/deliveries/*/retry', (route) => {
    retried.push(`${route.request().method()} ${new URL(route.request().url()).pathname}`)
    delivery.status = 'pending'
    return route.fulfill({ status: 202, json: { success: true, data: delivery, timestamp: 5 } })
  })
  await page.reload()
  await page.locator('[data-delivery="msg_1"]', { hasText: 'Given up' }).waitFor()
  t.equal(await page.locator('[data-delivery]').count(), 1, 'a delivered webhook needs nobody')
  t.match(await page.locator('[data-delivery="msg_1"]').innerText(), /Tries: 9 · 503/)
  await page.getByRole('button', { name: 'Send again' }).click()
  await page.locator('[data-delivery="msg_1"]', { hasText: 'Waiting' }).waitFor()
  t.strictSame(retried, ['POST /api/webhooks/deliveries/msg_1/retry'])
  t.match(await page.locator('#node-facts').innerText(), /Running[^]*Connections/)
  t.strictSame(lines, [])
})

t.test('The page goes on after the stream of changes was lost', needsChromium, async (t) => {
  const { app, ask, open } = await startConsole(t)
  await ask('POST', '/api/rooms', { roomId: 'before' })
  const page = await open()
  await row(page, 'before').waitFor()
  await page.locator('#live[data-status="online"]').waitFor()
  app.server.closeAllConnections()
  await page.locator('#live[data-status="offline"]').waitFor()
  await ask('POST', '/api/rooms', { roomId: 'meanwhile' })
  await page.locator('#live[data-status="online"]').waitFor()
  await row(page, 'meanwhile').waitFor()
  t.strictSame(await rooms(page), ['meanwhile', 'before'])
})

t.test('The page is clean for axe and needs no sideways scrolling, in every width, both themes and both languages', needsChromium, async (t) => {
  const { ask, open, lines } = await startConsole(t, { ...KEYS, STALL_SECONDS: '1' })
  for (let i = 0; i < 30; i++) await ask('POST', '/api/rooms', { roomId: `payment_with_a_long_name_${i}`, amount: 1234.5, currency: 'BRL', ...(i % 2 && { reference: `Order ${i} of a customer with a long name` }) })
  await ask('POST', '/api/rooms/payment_with_a_long_name_29/events', { type: 'CLICKED_PAY' })
  await ask('POST', '/api/rooms/payment_with_a_long_name_28/events', { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx_'.repeat(40) } })
  await ask('POST', '/api/rooms/payment_with_a_long_name_27/events', { type: 'PAYMENT_ERROR', payload: { error: 'No funds' } })
  for (const [width, colorScheme, locale] of [[1440, 'light', 'en-US'], [1440, 'dark', 'pt-BR'], [768, 'dark', 'en-US'], [320, 'light', 'pt-BR'], [320, 'dark', 'en-US']] as const) {
    const page = await open({ viewport: { width, height: 800 }, colorScheme, locale })
    t.equal(await page.evaluate('document.documentElement.lang'), locale === 'pt-BR' ? 'pt-BR' : 'en')
    t.strictSame(await violations(page), [], `${width} ${colorScheme}: the form for the key`)
    await enterKey(page, 'a-key')
    await page.locator('tr.is-stalled').waitFor()
    t.strictSame(await violations(page), [], `${width} ${colorScheme}: the list`)
    t.equal(await overflow(page), 0, `${width}: the list`)
    await openRoom(page, 'payment_with_a_long_name_28')
    for (const summary of await page.locator('#actions summary').all()) await summary.click()
    await page.locator('#actions .primary').last().click()
    await page.locator('#minted').waitFor()
    t.strictSame(await violations(page), [], `${width} ${colorScheme}: a payment`)
    t.equal(await overflow(page), 0, `${width}: a payment`)
    await page.locator('#close-room').click()
    t.strictSame(await violations(page), [], `${width} ${colorScheme}: the question before closing`)
    await page.context().close()
  }
  t.strictSame(unexpected(lines), [])
})

t.test('The page can be used with the keyboard alone', needsChromium, async (t) => {
  const { ask, open, lines } = await startConsole(t)
  await ask('POST', '/api/rooms', { roomId: 'r' })
  const page = await open({ viewport: { width: 360, height: 800 } })
  await row(page, 'r').waitFor()
  const tabTo = async (selector: string) => {
    for (let presses = 0; presses < 60; presses++) {
      const state = await page.evaluate(`({ reached: document.activeElement.matches(${JSON.stringify(selector)}), outline: getComputedStyle(document.activeElement).outlineStyle })`) as { reached: boolean, outline: string }
      if (state.reached) return t.not(state.outline, 'none', `${selector} shows that it has the focus`)
      await page.keyboard.press('Tab')
    }
    throw new Error(`the Tab key never leads to ${selector}`)
  }
  await tabTo('[data-view="stalled"]')
  await page.keyboard.press('Space')
  await page.locator('#empty:not([hidden])').waitFor()
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Enter')
  await tabTo('#rows button')
  await page.keyboard.press('Enter')
  await page.locator('#room-title:focus').waitFor()
  t.ok(await page.locator('#payments').isHidden(), 'a narrow page shows one thing at a time')
  await tabTo('[data-action="publishResult"] summary')
  await page.keyboard.press('Enter')
  await tabTo('[data-action="publishResult"] .primary')
  await page.keyboard.press('Enter')
  await page.locator('#room-status', { hasText: 'Paid' }).waitFor()
  await page.keyboard.press('Escape')
  await page.locator('#rows button:focus').waitFor()
  t.strictSame(lines, [])
})
