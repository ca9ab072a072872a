// The console with 5,000 live payments: the work of its page for a change must hardly depend on the number of payments.
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { needsChromium } from '../chromium.js'
import { startConsole } from '../console.js'
import { report } from '../playground.js'
import { until } from '../until.js'

const STEPS = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY'] as const
const CHANGES = 300
/** Pause between two changes, ms: the page paints every half a second, so that all changes take some paints. */
const PAUSE = 10
/** Allowed ratio of the work with 5,000 payments to that with 100: about 1.7 was measured. */
const MOST = 5

/** CPU time of the page's main thread for the same changes, s, and its longest frame, ms. */
async function workFor (t: Test, count: number) {
  const { app, open, lines } = await startConsole(t)
  for (let i = 0; i < count; i++) await app.broker.createRoom(`payment_${i}`, { amount: 5, currency: 'BRL', reference: `order ${i}` })
  const page = await open()
  const number = page.locator('[data-view="all"] .number')
  await until('all payments are there', async () => Number((await number.innerText()).replace(/\D/g, '')) === count)
  const tracing = await page.context().newCDPSession(page)
  await tracing.send('Performance.enable', { timeDomain: 'threadTicks' })
  const taskTime = async () => (await tracing.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')!.value
  await page.evaluate(`(() => {
    window.longest = 0
    let last
    requestAnimationFrame(function next (time) {
      if (last !== undefined) longest = Math.max(longest, time - last)
      last = time
      requestAnimationFrame(next)
    })
  })()`)
  const before = await taskTime()
  for (let n = 0; n < CHANGES; n++) {
    await report(app, `payment_${n * 37 % count}`, STEPS[n % STEPS.length]!)
    await sleep(PAUSE)
  }
  // Of the newest payment, which is on the first page: it shows that the changes before have arrived.
  await report(app, `payment_${count - 1}`, 'PAYMENT_SUCCESS')
  await page.locator('#rows tr').first().getByText('Paid').waitFor()
  const work = await taskTime() - before
  const longest = await page.evaluate('longest') as number
  await page.context().close()
  t.strictSame(lines, [])
  return { work, longest }
}

t.test('5,000 live payments take little more work of the page than 100', needsChromium, async (t) => {
  const few = await workFor(t, 100)
  const many = await workFor(t, 5_000)
  const ratio = many.work / few.work
  const inMs = (seconds: number) => Math.round(seconds * 1000)
  t.comment(`${CHANGES} changes: ${inMs(few.work)} ms with 100 payments, ${inMs(many.work)} ms with 5,000, ratio ${ratio.toFixed(2)}; longest frames ${Math.round(few.longest)} and ${Math.round(many.longest)} ms`)
  t.ok(ratio < MOST, `ratio ${ratio}`)
})
