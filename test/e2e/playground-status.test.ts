// The playground's pages show what is true of a payment: each status with its facts, retries, amounts, and the end of the link.
import t from 'tap'
import type { Page } from 'playwright-core'
import type { PaymentEventType } from '../../src/protocol/events.js'
import { needsChromium } from '../chromium.js'
import { event, fillIn, heading, linkOf, overflow, PHONE, report, roomOf, setUp, steps, timeline, unfold, updateLink } from '../playground.js'

const PAID = { transactionId: 'tx_1', amount: 99.9, currency: 'BRL' }
/** Text of a page with the usual spaces in its amounts. */
const textOf = async (page: Page, selector: string) => (await page.locator(selector).innerText()).replaceAll('\u00a0', ' ')
const result = (desk: Page) => textOf(desk, '#steps [data-step="RESULT"] .detail')

/** One payment through statuses of a backend: the fact, the class of the result, and the texts of the shop and of the payer. */
const STATUSES: ReadonlyArray<{ type: PaymentEventType, payload: object, mood: string, shop: [en: string, pt: string], payer: [en: string, pt: string] }> = [
  {
    type: 'PAYMENT_PENDING',
    payload: { reason: 'in_analysis', method: 'card' },
    mood: 'waiting',
    shop: ['Being processed · under review · Card · confirmed by the backend', 'Em processamento · em análise · Cartão · confirmado pelo backend'],
    payer: ['Being processed', 'Em processamento']
  },
  {
    type: 'PAYMENT_ERROR',
    payload: { error: 'No funds', code: '51' },
    mood: 'failed',
    shop: ['Failed · No funds · 51 · confirmed by the backend', 'Falhou · No funds · 51 · confirmado pelo backend'],
    payer: ['Payment failed', 'O pagamento falhou']
  },
  {
    type: 'PAYMENT_CANCELLED',
    payload: { reason: 'Out of stock' },
    mood: 'failed',
    shop: ['Cancelled · Out of stock · confirmed by the backend', 'Cancelado · Out of stock · confirmado pelo backend'],
    payer: ['Cancelled', 'Cancelado']
  },
  {
    type: 'PAYMENT_SUCCESS',
    payload: PAID,
    mood: 'done',
    shop: ['Paid · R$99.90 · tx_1 · arrived late · confirmed by the backend', 'Pago · R$ 99,90 · tx_1 · chegou atrasado · confirmado pelo backend'],
    payer: ['Paid', 'Pago']
  },
  {
    type: 'PAYMENT_REFUNDED',
    payload: { refundId: 're_1', amount: 40, currency: 'BRL' },
    mood: 'waiting',
    shop: ['Partially refunded · R$99.90 · tx_1 · arrived late · confirmed by the backend', 'Reembolsado em parte · R$ 99,90 · tx_1 · chegou atrasado · confirmado pelo backend'],
    payer: ['Partially refunded', 'Reembolsado em parte']
  },
  {
    type: 'PAYMENT_REFUNDED',
    payload: { refundId: 're_2', amount: 59.9, currency: 'BRL' },
    mood: 'waiting',
    shop: ['Refunded · R$99.90 · tx_1 · arrived late · confirmed by the backend', 'Reembolsado · R$ 99,90 · tx_1 · chegou atrasado · confirmado pelo backend'],
    payer: ['Refunded', 'Reembolsado']
  },
  {
    type: 'PAYMENT_DISPUTED',
    payload: { reason: 'Fraud' },
    mood: 'failed',
    shop: ['Disputed · R$99.90 · tx_1 · Fraud · arrived late · confirmed by the backend', 'Contestado · R$ 99,90 · tx_1 · Fraud · chegou atrasado · confirmado pelo backend'],
    payer: ['Disputed', 'Contestado']
  }
]

t.test('Both pages show every status of a payment, in both languages', needsChromium, async (t) => {
  const { app, desk, openPhone, lines } = await setUp(t)
  await desk.setViewportSize({ width: 360, height: 740 })
  const phone = await openPhone()
  await fillIn(phone)
  await event(desk, 4)
  for (const [i, { type, payload, mood, shop, payer }] of STATUSES.entries()) {
    await report(app, roomOf(phone), type, payload)
    for (const [language, which] of [['English', 0], ['Português', 1]] as const) {
      await desk.getByRole('button', { name: language }).click()
      await phone.getByRole('button', { name: language }).click()
      await heading(phone, payer[which])
      await desk.locator('#steps .detail').getByText(shop[which].split(' · ')[0]!).waitFor()
      t.equal(await result(desk), shop[which])
      t.equal(await overflow(desk), 0)
      t.equal(await overflow(phone), 0)
    }
    t.equal((await steps(desk)).at(-1), mood)
    await event(desk, 5 + i)
    if (type === 'PAYMENT_REFUNDED') t.match(await textOf(phone, '#notice'), i === 4 ? 'R$ 40,00 reembolsados' : 'R$ 99,90 reembolsados')
    t.equal(await phone.locator('main button:visible').count(), type === 'PAYMENT_ERROR' ? 1 : 0, `${type}: only a failure can be tried again`)
  }
  t.strictSame(lines, [])
})

t.test('A retry shows at the shop, with the failure before it, and the payer\'s buttons are back', needsChromium, async (t) => {
  const { app, desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await fillIn(phone)
  await phone.locator('#pay').click()
  await report(app, roomOf(phone), 'PAYMENT_ERROR', { error: 'No funds', code: '51' })
  await phone.locator('#again').click()
  t.equal(await desk.locator('#facts li').count(), 0, 'the payer has not begun again')
  await phone.locator('#pay').click()
  await desk.getByText('Attempt 2 · before: No funds · 51').waitFor()
  t.equal((await steps(desk)).at(-1), 'todo')
  await report(app, roomOf(phone), 'PAYMENT_ERROR', { error: 'No funds', code: '51' })
  await heading(phone, 'Payment failed')
  await phone.locator('#again').click()
  await phone.locator('#pay').click()
  await phone.locator('#approve').click()
  await heading(phone, 'Paid')
  await desk.getByText('Attempt 3').waitFor()
  t.match(await result(desk), /^Paid · R\$99\.90 · tx_\w+ · not confirmed$/)
  t.strictSame(lines, [])
})

t.test('The link\'s end takes the payer\'s buttons away, and an extended link brings them back', needsChromium, async (t) => {
  const { app, desk, openPhone, open, lines } = await setUp(t)
  const phone = await openPhone()
  await fillIn(phone)
  await event(desk, 4)
  await updateLink(app, roomOf(phone), { ttlSeconds: 1 })
  await heading(phone, 'This link has expired')
  t.equal(await phone.locator('main button:visible').count(), 0)
  t.equal(await result(desk), 'Expired')
  await unfold(desk)
  t.match(await desk.locator('#timeline1 [data-seq="6"]').innerText(), /PAYMENT_EXPIRED\s+server/)
  const later = await open(await linkOf(desk), PHONE)
  await heading(later, 'This link has expired')
  t.equal((await timeline(desk)).length, 6, 'a page that is opened later publishes nothing')
  await later.close()

  await updateLink(app, roomOf(phone), { ttlSeconds: 900 })
  await heading(phone, 'Review your payment')
  await phone.locator('#pay').click()
  await phone.locator('#approve').click()
  await heading(phone, 'Paid')
  await desk.getByText('not confirmed').waitFor()
  t.strictSame(lines, [])
})

t.test('An event of a phone that was offline at the deadline is refused, and the page says why', needsChromium, async (t) => {
  const { app, desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await fillIn(phone)
  await event(desk, 4)
  await phone.locator('[data-do="offline"]').click()
  await phone.locator('#pay').click()
  await updateLink(app, roomOf(phone), { ttlSeconds: 1 })
  await event(desk, 6)
  await phone.locator('[data-do="offline"]').click()
  await heading(phone, 'This link has expired')
  await phone.locator('.tag.failedToSend').waitFor({ state: 'attached' })
  t.equal(await phone.locator('#refusal').innerText(), '')
  await updateLink(app, roomOf(phone), { ttlSeconds: 900 })
  await heading(phone, 'Review your payment')
  await phone.locator('#pay').click()
  await event(desk, 8)
  t.match((await timeline(desk)).at(-1), 'CLICKED_PAY')
  t.strictSame(lines, [])
})

t.test('With an expected amount the pages show it, what is paid of it, and a claim of another amount', needsChromium, async (t) => {
  const { app, desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await event(desk, 1)
  await updateLink(app, roomOf(phone), { amount: 250, currency: 'USD' })
  await desk.getByText('$0.00 of $250.00 paid').waitFor()
  await phone.locator('#proceed').click()
  await phone.locator('input[value="pix"]').check()
  await phone.locator('#sample').click()
  await phone.locator('#filled').click()
  await phone.getByRole('button', { name: 'Pay $250.00' }).click()
  await event(desk, 6)
  const claim = { type: 'PAYMENT_SUCCESS', payload: { amount: 1, currency: 'USD' } }
  await app.inject({ method: 'POST', url: `/api/rooms/${roomOf(phone)}/events`, payload: claim })
  await desk.getByText('Paid · $1.00 · not what was expected · not confirmed').waitFor()
  await report(app, roomOf(phone), 'PAYMENT_SUCCESS', { transactionId: 'tx_1', amount: 100, currency: 'USD' })
  await desk.getByText('$100.00 of $250.00 paid · too little').waitFor()
  t.equal(await result(desk), 'Being processed · $100.00 · tx_1 · confirmed by the backend')
  await heading(phone, 'Being processed')
  t.match(await textOf(phone, '#notice-more'), '$100.00 of $250.00 paid')
  await report(app, roomOf(phone), 'PAYMENT_SUCCESS', { transactionId: 'tx_2', amount: 150, currency: 'USD' })
  await desk.getByText('$250.00 of $250.00 paid · exact amount').waitFor()
  await heading(phone, 'Paid')
  await report(app, roomOf(phone), 'PAYMENT_SUCCESS', { transactionId: 'tx_3', amount: 1, currency: 'USD' })
  await desk.getByText('$251.00 of $250.00 paid · too much').waitFor()
  t.strictSame(lines, [])
})

t.test('With a key the page also runs the results that only a backend reports', needsChromium, async (t) => {
  const { desk, openPhone, lines } = await setUp(t, { API_KEYS: 'a-key' })
  await desk.locator('#key-field').fill('a-key')
  await desk.keyboard.press('Enter')
  const phone = await openPhone()
  await event(desk, 1)
  const run = async (name: string, title: string) => {
    const request = desk.locator(`[data-name="${name}"]`)
    await request.locator('summary').click()
    await request.locator('.primary').click()
    await request.locator('.answer', { hasText: /^20[01]/ }).waitFor()
    await heading(phone, title)
  }
  await run('expireLink', 'This link has expired')
  await run('updateLink', 'Your order')
  await run('publishPending', 'Being processed')
  await run('publishCancelled', 'Cancelled')
  await run('publishSuccess', 'Paid')
  await run('publishRefund', 'Partially refunded')
  await run('publishDispute', 'Disputed')
  t.strictSame(lines.filter((line) => !/status of 401/.test(line)), [], 'the browser reports only the missing key')
})
