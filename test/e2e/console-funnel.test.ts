// The funnel in the console: the numbers of each step, the largest loss, the times, the methods and the period, as a table that everyone can read.
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import t from 'tap'
import { violations } from '../axe.js'
import { needsChromium } from '../chromium.js'
import { openRoom, row, startConsole } from '../console.js'
import { inEachLook, overflow } from '../playground.js'

/** In the page. */
declare const getComputedStyle: (element: unknown, part?: string) => { readonly backgroundColor: string, readonly borderTopColor: string }

/** Payments that reached each milestone, from the creation of the link to the verified success. */
const REACHED = [1200, 1000, 960, 900, 600, 570, 500, 470]

/** Counts payments in the funnel: each took the same time for a step, and every third one was paid by card. */
function fill (app: FastifyInstance, reached: readonly number[]) {
  for (let i = 0; i < reached[0]!; i++) {
    app.funnel.created()
    let at = app.now() - 60_000
    for (let number = 1; reached[number]! > i; number++) {
      const state = { status: 'pending', step: null, attempt: 1, updatedAt: at, method: i % 3 === 0 ? 'card' : 'pix' } as const
      app.funnel.advanced({ from: number === 1 ? undefined : { number: number - 1, at }, to: { number, at: at += 400 * number }, state })
    }
  }
}

/** Texts of the cells of each step, as they are read one by one. */
const steps = (page: Page) => page.locator('#funnel-steps tr').evaluateAll((items) => items.map((item: any) => [...item.children].map((cell) => cell.textContent)))

t.test('Each step has its payments, the loss before it and its times, and the largest loss is said in words', needsChromium, async (t) => {
  const { app, open, lines } = await startConsole(t)
  const page = await open()
  await page.getByText('No payment in this period.').waitFor()
  fill(app, REACHED)
  await page.reload()
  await page.getByText('50% of the payers who opened the link paid.').waitFor()
  t.equal(await page.locator('#funnel-headline .loss').innerText(), 'Most are lost between “Chose a method” and “Filled in the data”: 300 of 900 (33%).')
  const rows = await steps(page)
  t.strictSame(rows.map(([step, payments, lost]) => [step, payments, lost]), [
    ['Link was created', '1,200', 'none'],
    ['Saw the summary', '1,000', '200 lost (17%)'],
    ['Continued to payment', '960', '40 lost (4%)'],
    ['Chose a method', '900', '60 lost (6%)'],
    ['Filled in the data', '600', '300 lost (33%)'],
    ['Pressed pay', '570', '30 lost (5%)'],
    ['Paid', '500', '70 lost (12%)'],
    ['Confirmed by the backend', '470', '30 not confirmed (6%)']
  ])
  t.match(rows.map((cells) => cells[3]), ['none', 'none', ...Array.from({ length: 6 }, () => /^half within [1-4] s, 95 % within [1-4] s$/)])
  t.strictSame(await page.locator('#funnel-steps .is-worst').evaluateAll((items) => items.map((item: any) => item.dataset.step)), ['DATA_FILLED'])
  const widths = await page.locator('#funnel-steps .bar i').evaluateAll((items) => items.map((item: any) => Math.round(100 * item.offsetWidth / item.parentElement.offsetWidth)))
  for (const [i, width] of widths.entries()) t.ok(Math.abs(width - 100 * REACHED[i]! / REACHED[0]!) < 2, `a bar is as long as its number says: ${width} %`)
  t.strictSame(await page.locator('#methods-rows tr').allInnerTexts().then((all) => all.map((text) => text.replace(/\s+/g, ' '))), ['Pix 380 333 88%', 'Card 190 167 88%'])
  t.strictSame(lines, [])
})

t.test('The period is chosen, and the funnel makes room for a payment', needsChromium, async (t) => {
  const { app, ask, open, lines } = await startConsole(t)
  fill(app, [4, 3, 2, 1, 0])
  await ask('POST', '/api/rooms', { roomId: 'r' })
  const page = await open()
  const asked: string[] = []
  page.on('request', (request) => { if (request.url().includes('api/funnel')) asked.push(new URL(request.url()).search) })
  await page.locator('[data-window="day"][aria-pressed="true"]').waitFor()
  for (const window of ['hour', 'week']) {
    const answer = page.waitForResponse((response) => response.url().includes(`window=${window}`))
    await page.locator(`[data-window="${window}"]`).click()
    await answer
    t.equal(await page.locator('#windows [aria-pressed="true"]').getAttribute('data-window'), window)
  }
  t.ok(asked.includes('?window=hour') && asked.includes('?window=week'))
  t.equal((await steps(page))[0]![1], '5')
  await row(page, 'r').waitFor()
  await openRoom(page, 'r')
  t.ok(await page.locator('#funnel').isHidden())
  await page.getByRole('button', { name: 'Back' }).click()
  await page.locator('#funnel').waitFor()
  t.ok(await page.locator('#room').isHidden())
  t.strictSame(lines, [])
})

t.test('The funnel is a table for screen readers, clean for axe, and needs no sideways scrolling, also in forced colours', needsChromium, async (t) => {
  const { app, open, lines } = await startConsole(t)
  fill(app, REACHED)
  for (const [locale, looks] of [['en-US', [[1440, 'light'], [320, 'dark', 'active']]], ['pt-BR', [[1024, 'dark'], [320, 'light']]]] as const) {
    const page = await open({ locale })
    await page.locator('#funnel-steps tr').first().waitFor()
    const table = page.getByRole('table', { name: locale === 'pt-BR' ? 'Onde os clientes desistem' : 'Where payers leave' })
    await inEachLook(page, looks, async (look, width) => {
      t.equal(await table.getByRole('columnheader').count(), 4)
      t.equal(await table.getByRole('rowheader').count(), 8)
      t.equal(await table.getByRole('cell').count(), 24)
      t.strictSame(await violations(page), [], `${look} ${locale}`)
      t.equal(await overflow(page), 0, `${look} ${locale}`)
      const bars = await page.locator('#funnel-steps .bar i').evaluateAll((items) => items.map((item) => getComputedStyle(item).backgroundColor))
      const ground = await page.locator('#funnel').evaluate((panel) => getComputedStyle(panel).backgroundColor)
      t.notOk(bars.includes(ground), 'a bar differs from its ground')
      t.equal(await page.locator('#loss').isVisible(), width < 1024, 'the largest loss is also said above the list where the funnel is below it')
    })
    t.not(await page.locator('#loss').innerText(), '')
    await page.locator('#loss a').click()
    await page.waitForFunction('document.getElementById("funnel-title").getBoundingClientRect().top < innerHeight')
    await page.context().close()
  }
  t.strictSame(lines, [])
})
