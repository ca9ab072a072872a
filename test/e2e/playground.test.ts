// The playground in a real browser: a shop at its desk and a payer with a phone go through a payment, whatever the network does.
import t, { type Test } from 'tap'
import type { BrowserContextOptions, FrameLocator, Page } from 'playwright-core'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { until } from '../until.js'

const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, locale: 'en-US' }

/** A server with the playground, and the desk in a browser of its own. `lines` is what any page logs. */
async function setUp (t: Test, env: Record<string, string> = {}) {
  const { app, logs, port } = await listen(t, { env: { PLAYGROUND: 'true', PRESENCE_GRACE_SECONDS: '0', ...env } })
  const origin = `http://127.0.0.1:${port}`
  const { page: desk, lines } = await openPage(t, `${origin}/playground`)
  const requested: string[] = []
  const open = async (url: string, options: BrowserContextOptions) => {
    const context = await desk.context().browser()!.newContext(options)
    const page = await context.newPage()
    page.on('console', (message) => lines.push(message.text()))
    page.on('pageerror', (error) => lines.push(`page error: ${error.message}`))
    page.on('request', (request) => requested.push(request.url()))
    await page.goto(url)
    return page
  }
  return { app, logs, origin, desk, lines, requested, open, openPhone: async () => open(await linkOf(desk), PHONE) }
}

async function linkOf (desk: Page): Promise<string> {
  await desk.locator('#status1[data-status="online"]').waitFor()
  return (await desk.getAttribute('#link', 'href'))!
}

/** The events in a timeline, as `seq TYPE`, those that were caught up with a `+`. */
const timeline = (page: Page) => page.locator('#timeline1 .event, #timeline2 .event').evaluateAll((lines) => lines.map((line: any) =>
  `${line.dataset.seq ?? '-'} ${line.querySelector('code').textContent}${line.querySelector('.replayed') ? ' +' : ''}`))
const notes = (page: Page) => page.locator('#timeline1 .note span, #timeline2 .note span').allTextContents()
const event = (page: Page, seq: number) => page.locator(`.timeline [data-seq="${seq}"]`).waitFor()
const steps = (desk: Page) => desk.locator('#steps li').evaluateAll((items) => items.map((item: any) => item.className))
const overflow = (page: Page) => page.evaluate('document.documentElement.scrollWidth - innerWidth') as Promise<number>
const heading = (page: Page | FrameLocator, text: string) => page.getByRole('heading', { level: 1, name: text }).waitFor()

/** From the summary to the last look. */
async function fillIn (phone: Page, method = 'pix') {
  await phone.locator('#proceed').click()
  await phone.locator(`input[value="${method}"]`).check()
  await phone.locator('#sample').click()
  await phone.locator('#filled').click()
}

t.test('a payment goes through: the desk shows every step of the phone, and nobody has to scroll sideways', needsChromium, async (t) => {
  const { desk, openPhone, lines, app } = await setUp(t)
  const phone = await openPhone()
  await heading(phone, 'Your order')
  await event(desk, 1)
  t.match(await desk.locator('#members').innerText(), /device_1[^]*phone_\w{4} the payer|phone_\w{4} the payer[^]*device_1/)
  t.equal(await desk.locator('[aria-current="step"]').getAttribute('data-step'), 'CLICKED_PROCEED')
  t.equal(await overflow(phone), 0)
  await phone.locator('#proceed').click()
  await phone.locator('input[value="card"]').check()
  t.equal(await overflow(phone), 0)
  await phone.locator('#filled').click()
  t.equal(await phone.locator('#inputs :invalid').count(), 4, 'nothing is told before all is filled in')
  await phone.locator('#sample').click()
  await phone.locator('#filled').click()
  await phone.getByRole('button', { name: 'Pay R$99.90' }).click()
  await phone.locator('#approve').click()
  await heading(phone, 'Paid')
  await event(desk, 6)
  t.strictSame(await timeline(desk), ['1 ENTERED_SUMMARY', '2 CLICKED_PROCEED', '3 PAYMENT_METHOD_CHANGED', '4 DATA_FILLED', '5 CLICKED_PAY', '6 PAYMENT_SUCCESS'])
  t.strictSame(await timeline(phone), await timeline(desk))
  t.strictSame(await steps(desk), ['done', 'done', 'done', 'done', 'done', 'done'])
  t.match(await desk.locator('#steps').innerText(), /Card\n[^]*name, cardNumber, expiry, cvv\n[^]*Paid · R\$99\.90 · tx_\w{8} · as the phone says/)
  t.equal(await overflow(phone), 0)
  await desk.setViewportSize({ width: 360, height: 740 })
  t.equal(await overflow(desk), 0)
  const log = JSON.stringify((await app.inject(`/api/rooms/${new URLSearchParams(new URL(phone.url()).hash.slice(1)).get('room')!}/events`)).json())
  t.notMatch(log, /Maria|4111|12\/30/, 'the names of the fields are told, never what is in them')
  t.strictSame(lines, [], 'no error in any console')
})

t.test('a payment that fails, fails again in the same way, and then succeeds', needsChromium, async (t) => {
  const { desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await fillIn(phone)
  for (const seq of [6, 8]) {
    await phone.locator('#pay').click()
    await phone.locator('#decline').click()
    await heading(phone, 'It did not work')
    await event(desk, seq)
    t.equal((await steps(desk)).at(-1), 'failed')
    t.match(await phone.locator('#reason').innerText(), 'Card declined')
    await phone.locator('#again').click()
  }
  await phone.locator('#pay').click()
  await phone.locator('#approve').click()
  await heading(phone, 'Paid')
  await event(desk, 10)
  t.equal((await steps(desk)).at(-1), 'done')
  t.strictSame(lines, [])
})

t.test('a desk that was offline, dropped or reloaded is shown what it missed, and nothing twice', needsChromium, async (t) => {
  const { desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await event(desk, 1)
  await desk.locator('#network1 [data-do="offline"]').click()
  t.equal(await desk.locator('#status1').innerText(), 'Offline')
  await fillIn(phone)
  await event(phone, 4)
  t.strictSame(await timeline(desk), ['1 ENTERED_SUMMARY'], 'nothing gets through')
  await desk.getByRole('button', { name: 'Go online' }).click()
  await event(desk, 4)
  t.strictSame(await timeline(desk), ['1 ENTERED_SUMMARY', '2 CLICKED_PROCEED +', '3 PAYMENT_METHOD_CHANGED +', '4 DATA_FILLED +'])
  t.match((await notes(desk)).at(-1), /^Back after [\d.]+ sec\. Missed and replayed: 3\.$/)

  await desk.locator('#network1 [data-do="drop"]').click()
  await phone.locator('#pay').click()
  await desk.locator('#status1[data-status="online"]').waitFor()
  await event(desk, 5)
  t.match(await timeline(desk), { length: 5, 4: /^5 CLICKED_PAY/ })

  await phone.locator('#approve').click()
  await desk.locator('#network1 [data-do="reload"]').click()
  await event(desk, 6)
  t.strictSame((await timeline(desk)).map((line) => line.replace(' +', '')),
    ['1 ENTERED_SUMMARY', '2 CLICKED_PROCEED', '3 PAYMENT_METHOD_CHANGED', '4 DATA_FILLED', '5 CLICKED_PAY', '6 PAYMENT_SUCCESS'])
  t.match((await timeline(desk))[0], /\+$/, 'it was replayed')
  t.strictSame(await steps(desk), ['done', 'done', 'done', 'done', 'done', 'done'])
  t.strictSame(lines, [])
})

t.test('a phone without network goes on, and tells it all once there is one; sent twice is shown once', needsChromium, async (t) => {
  const { desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await event(desk, 1)
  await phone.locator('[data-do="offline"]').click()
  await until('the desk sees it go', async () => (await notes(desk)).some((note) => /^phone_\w+ has left\.$/.test(note)))
  await fillIn(phone)
  await heading(phone, 'One last look')
  t.strictSame((await timeline(phone)).slice(1), ['- CLICKED_PROCEED', '- PAYMENT_METHOD_CHANGED', '- DATA_FILLED'])
  await phone.locator('[data-do="offline"]').click()
  await event(desk, 4)
  t.strictSame(await timeline(phone), await timeline(desk))

  await phone.locator('[data-do="twice"]').click()
  await phone.locator('.tag.sentBefore').waitFor()
  t.match((await timeline(phone)).at(-1), '4 DATA_FILLED')
  await phone.locator('#pay').click()
  await event(desk, 5)
  t.strictSame(await timeline(desk), ['1 ENTERED_SUMMARY', '2 CLICKED_PROCEED', '3 PAYMENT_METHOD_CHANGED', '4 DATA_FILLED', '5 CLICKED_PAY'])
  t.strictSame(lines, [])
})

t.test('a phone that is reloaded is where it was, and loses nothing that waited', needsChromium, async (t) => {
  const { desk, openPhone, lines } = await setUp(t)
  const phone = await openPhone()
  await phone.locator('#proceed').click()
  await phone.locator('input[value="boleto"]').check()
  await event(desk, 3)
  await phone.locator('[data-do="reload"]').click()
  await heading(phone, 'How do you want to pay?')
  t.ok(await phone.locator('input[value="boleto"]').isChecked())
  await phone.locator('#sample').click()
  await phone.locator('[data-do="offline"]').click()
  await phone.locator('#filled').click()
  await phone.locator('[data-do="reload"]').click()
  await event(desk, 4)
  await heading(phone, 'One last look')
  t.equal(await phone.locator('#chosen').innerText(), 'Boleto')
  t.match((await timeline(phone)).at(-1), '4 DATA_FILLED')
  t.equal(await phone.locator('.tag.afterReload').count(), 1)
  t.strictSame(await timeline(desk), ['1 ENTERED_SUMMARY', '2 CLICKED_PROCEED', '3 PAYMENT_METHOD_CHANGED', '4 DATA_FILLED'])
  t.strictSame(lines, [])
})

t.test('with the keyboard alone', needsChromium, async (t) => {
  const { desk, lines } = await setUp(t)
  await linkOf(desk)
  /** Tab until something is reached; whatever has the focus on the way shows it. */
  const tabTo = async (selector: string) => {
    for (let presses = 0; presses < 60; presses++) {
      const { reached, outline } = await focused(selector)
      if (reached) return t.ok(outline, `${selector} shows that it has the focus`)
      await desk.keyboard.press('Tab')
    }
    throw new Error(`the Tab key never leads to ${selector}`)
  }
  // In the frame of the phone, too.
  const focused = (selector: string) => desk.evaluate(`(() => {
    let at = document.activeElement
    while (at?.contentDocument?.activeElement) at = at.contentDocument.activeElement
    return { reached: at?.matches(${JSON.stringify(selector)}), outline: at && at.ownerDocument.defaultView.getComputedStyle(at).outlineStyle !== 'none' }
  })()`) as Promise<{ reached: boolean, outline: boolean }>
  const phone = desk.frameLocator('#phone iframe')

  await tabTo('#open')
  await desk.keyboard.press('Enter')
  await heading(phone, 'Your order')
  await tabTo('#proceed')
  await desk.keyboard.press('Enter')
  await heading(phone, 'How do you want to pay?')
  await tabTo('input[name="method"]')
  await desk.keyboard.press('Space')
  await desk.keyboard.press('ArrowRight')
  t.ok(await phone.locator('input[value="card"]').isChecked())
  await tabTo('#sample')
  await desk.keyboard.press('Enter')
  await tabTo('#filled')
  await desk.keyboard.press('Enter')
  await heading(phone, 'One last look')
  await tabTo('#pay')
  await desk.keyboard.press('Space')
  await tabTo('#approve')
  await desk.keyboard.press('Enter')
  await heading(phone, 'Paid')
  await tabTo('[data-name="getRoom"] summary')
  await desk.keyboard.press('Enter')
  await tabTo('[data-name="getRoom"] .primary')
  await desk.keyboard.press('Enter')
  await desk.locator('[data-name="getRoom"] .answer', { hasText: '"status": "succeeded"' }).waitFor()
  t.strictSame(lines, [])
})

t.test('in the language of the browser, and in the other one on demand', needsChromium, async (t) => {
  const { desk, open, origin, lines } = await setUp(t)
  const brazilian = await open(`${origin}/playground/`, { locale: 'pt-BR' })
  await heading(brazilian, 'Laboratório de pagamentos')
  t.equal(await brazilian.evaluate('document.documentElement.lang'), 'pt-BR')

  await linkOf(desk)
  await desk.locator('#open').click()
  const phone = desk.frameLocator('#phone iframe')
  await heading(phone, 'Your order')
  await event(desk, 1)
  await desk.getByRole('button', { name: 'Português' }).click()
  await heading(desk, 'Laboratório de pagamentos')
  await heading(phone, 'Seu pedido')
  t.equal(await phone.locator('dd').first().innerText(), 'R$ 99,90'.replace(' ', '\u00a0'))
  t.match(await desk.locator('#steps').innerText(), /Viu o resumo/)
  t.match(await desk.locator('#timeline1').innerText(), /Entrou na sala[^]*dispositivo/, 'what was said before, too')
  t.match(await desk.locator('[data-name="broadcastToRoom"] .curl').innerText(), 'Pagamento processado com sucesso!')
  await desk.reload()
  await heading(desk, 'Laboratório de pagamentos')
  t.strictSame(lines, [])
})

t.test('the requests do what they say, and say what they do', needsChromium, async (t) => {
  const { desk, openPhone, origin, lines } = await setUp(t)
  const phone = await openPhone()
  await event(desk, 1)
  const room = new URLSearchParams(new URL(phone.url()).hash.slice(1)).get('room')!
  const run = async (name: string) => {
    const request = desk.locator(`[data-name="${name}"]`)
    if (await request.getAttribute('open') === null) await request.locator('summary').click()
    await request.locator('.primary').click()
    await request.locator('.answer:not([hidden])').waitFor()
    return { curl: await request.locator('.curl').innerText(), answer: await request.locator('.answer').innerText() }
  }
  t.match(await run('getRoom'), { curl: `curl ${origin}/api/rooms/${room}`, answer: /^200\n[^]*"step": "ENTERED_SUMMARY"/ })
  t.match(await run('listRoomEvents'), { answer: /^200\n[^]*"recovered": true/ })
  const { curl, answer } = await run('broadcastToRoom')
  t.equal(curl, `curl -X POST ${origin}/api/message/room/${room}/broadcast \\\n  -H 'Content-Type: application/json' \\\n  -d '{"eventType":"PAYMENT_UPDATE","message":"Payment processed!","idSeguro":"seguro_123456"}'`)
  t.match(answer, /^200\n[^]*"sentToClients": 2/)
  await event(phone, 2)
  t.match(await run('publishError'), { answer: /^201/ })
  await heading(phone, 'It did not work')
  t.match(await run('publishSuccess'), { answer: /^201/ })
  await heading(phone, 'Paid')
  t.match(await run('getServerStatus'), { answer: /^200/ })
  t.equal(await desk.locator('[data-name="createRoomToken"]').count(), 0, 'no tokens where none are asked for')

  await desk.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await desk.locator('[data-name="getRoom"]').getByRole('button', { name: 'Copy' }).click()
  t.equal(await desk.evaluate('navigator.clipboard.readText()'), `curl ${origin}/api/rooms/${room}`)

  t.match(await run('closeRoom'), { answer: '204' })
  await desk.locator('#status1[data-status="closed"]').waitFor()
  t.match((await notes(desk)).at(-1), 'The room is over: closed.')
  await desk.locator('#new').click()
  await desk.locator('#status1[data-status="online"]').waitFor()
  t.strictSame(await timeline(desk), [], 'a new payment begins anew')
  t.strictSame(lines, [])
})

t.test('with keys and tokens: the page asks for the key, the link carries the token where no server sees it', needsChromium, async (t) => {
  const { desk, openPhone, requested, lines, logs } = await withKeys(t)
  await desk.locator('#key-field').fill('wrong')
  await desk.keyboard.press('Enter')
  await desk.getByText('The server does not take this key.').waitFor()
  await desk.locator('#key-field').fill('a-key')
  await desk.keyboard.press('Enter')
  const link = new URL(await linkOf(desk))
  const token = new URLSearchParams(link.hash.slice(1)).get('token')!
  t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  t.equal(link.search, '')
  t.ok(await desk.locator('#key').isHidden())

  const phone = await openPhone()
  await fillIn(phone)
  await phone.locator('#pay').click()
  await phone.locator('#approve').click()
  await phone.getByText('This server takes the result from a backend alone').waitFor()
  await desk.locator('[data-name="publishSuccess"] summary').click()
  t.match(await desk.locator('[data-name="publishSuccess"] .curl').innerText(), '-H "Authorization: Bearer $KEY"')
  await desk.locator('[data-name="publishSuccess"] .primary').click()
  await heading(phone, 'Paid')
  await desk.locator('#steps', { hasText: 'confirmed by the backend' }).waitFor()
  t.ok(requested.length > 20)
  t.strictSame(requested.filter((url) => url.split('#')[0]!.includes(token)), [], 'no address has the token in it')
  t.notOk(JSON.stringify(logs).includes(token))

  await desk.locator('[data-name="createRoomToken"] summary').click()
  await desk.locator('[data-name="createRoomToken"] .primary').click()
  await desk.locator('[data-name="createRoomToken"] .answer', { hasText: '201' }).waitFor()
  await until('the link has the new token', async () => (await desk.getAttribute('#link', 'href')) !== link.href)
  await desk.locator('#network1 [data-do="drop"]').click()
  await desk.locator('#status1[data-status="offline"]').waitFor()
  await desk.locator('#status1[data-status="online"]').waitFor()
  t.strictSame(lines.filter((line) => !/status of 401/.test(line)), [], 'what the browser says of the wrong key is all')
})

t.test('a link that is cut short, or has another\'s token, is told apart from a network that fails', needsChromium, async (t) => {
  const { desk, open } = await withKeys(t)
  await desk.locator('#key-field').fill('a-key')
  await desk.keyboard.press('Enter')
  const link = await linkOf(desk)
  for (const broken of [link.split('#')[0]!, link.slice(0, -5), link.replace(/room=[^&]+/, 'room=another')]) {
    const phone = await open(broken, PHONE)
    await heading(phone, 'This link is over')
    await phone.getByText('It leads to no payment').waitFor()
    await phone.close()
  }
  await desk.locator('[data-name="closeRoom"] summary').click()
  const phone = await open(link, PHONE)
  await heading(phone, 'Your order')
  await desk.locator('[data-name="closeRoom"] .primary').click()
  await phone.getByText('The shop has closed this payment.').waitFor()
})

async function withKeys (t: Test) {
  const setup = await setUp(t, { API_KEYS: 'a-key', TOKEN_SECRET: 'x'.repeat(32), RESULTS_FROM: 'backend' })
  await setup.desk.getByLabel('This server asks for an API key').waitFor()
  return setup
}
