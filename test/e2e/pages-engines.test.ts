// The playground and the console in the engines of Chromium, Firefox and Safari: a payment by mouse and by keyboard, both languages, a narrow page and
// forced colours. The details of the pages are tested in Chromium alone.
import t, { type Test } from 'tap'
import { listen } from '../build.js'
import { gateway } from '../client/gateway.js'
import { ENGINES, tabsOf, type Tab } from '../engines.js'
import { until } from '../until.js'

/** In the page. */
interface PageElement {
  readonly textContent: string
  readonly href: string
  readonly scrollWidth: number
  readonly clientWidth: number
  readonly contentDocument: PageDocument
  readonly contentWindow: PageDocument & { readonly innerWidth: number }
  readonly checkVisibility: () => boolean
  readonly matches: (selector: string) => boolean
  readonly focus: () => void
  readonly click: () => void
}
interface PageDocument {
  readonly documentElement: PageElement & { readonly lang: string }
  readonly activeElement: PageElement
  readonly querySelector: (selector: string) => PageElement | null
  readonly querySelectorAll: (selector: string) => Iterable<PageElement>
}
declare const document: PageDocument
declare const getComputedStyle: (element: PageElement, part?: string) => { readonly backgroundColor: string, readonly borderTopColor: string, readonly outlineStyle: string }
declare const matchMedia: (query: string) => { readonly matches: boolean }

/** A page of the narrowest width that is supported, in a frame: the windows of some engines cannot be made so small. */
const NARROW = '<!doctype html><title>narrow</title><iframe id="narrow" width="320" height="800" style="border: 0"></iframe><script>document.getElementById("narrow").src = decodeURIComponent(location.hash.slice(1))</script>'

/** Starts a server with both pages. @returns readers of its rooms, beside its address */
async function setUp (t: Test) {
  const { app, port } = await listen(t, { env: { CONSOLE: 'true', PLAYGROUND: 'true', PRESENCE_GRACE_SECONDS: '0', STALL_SECONDS: '1' } })
  const { origin } = await gateway(t, port, { '/narrow': NARROW })
  const ask = async (method: 'GET' | 'POST', url: string, payload?: object) => {
    const { statusCode, body } = await app.inject({ method, url, ...(payload && { payload }) })
    if (statusCode >= 300) throw new Error(`${method} ${url}: ${body}`)
    return JSON.parse(body).data
  }
  return { origin, ask }
}

/** Waits until an element is seen, with a text if one is given. The page looks itself: asking it again and again took a tenth more of a processor. */
async function seen (tab: Tab, selector: string, text = ''): Promise<void> {
  const isSeen = await tab.evaluate(async (selector, text) => {
    const end = Date.now() + 25_000
    const found = () => [...document.querySelectorAll(selector)].some((element) => element.checkVisibility() && element.textContent.replaceAll('\u00a0', ' ').includes(text))
    while (!found() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
    return found()
  }, selector, text)
  if (!isSeen) throw new Error(`${selector} is never seen ${text && `with “${text}”`}`)
}

/** Clicks an element once it is seen. */
async function click (tab: Tab, selector: string): Promise<void> {
  await seen(tab, selector)
  await tab.click(selector)
}

/** Presses Tab until an element has the focus, which it must show. */
async function tabTo (t: Test, tab: Tab, selector: string): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    const { isReached, outline } = await tab.evaluate((selector) => {
      const { activeElement } = document
      return { isReached: activeElement.matches(selector), outline: getComputedStyle(activeElement).outlineStyle }
    }, selector)
    if (isReached) {
      t.not(outline, 'none', `${selector} shows that it has the focus`)
      return
    }
    await tab.press('Tab')
  }
  throw new Error(`the Tab key never leads to ${selector}`)
}

const linkOf = async (desk: Tab) => {
  await seen(desk, '#status1[data-status="online"]')
  return desk.evaluate(() => document.querySelector('#link')!.href)
}
const roomOf = (link: string) => new URLSearchParams(new URL(link).hash.slice(1)).get('room')!
const texts = (tab: Tab, selector: string) => tab.evaluate((selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => textContent.replaceAll('\u00a0', ' ')), selector)

for (const engine of ENGINES) {
  const newTab = tabsOf(t, engine)
  const test = (name: string, run: (t: Test) => Promise<void>) => t.test(`${engine.name}: ${name}`, engine.needs, run)

  test('a payer pays, the shop sees each step, and an operator looks into the payment and confirms it', async (t) => {
    const { origin, ask } = await setUp(t)
    const desk = await newTab()
    await desk.goto(`${origin}/playground/`)
    const link = await linkOf(desk)
    await seen(desk, '#now', 'Waiting for the payer')
    const phone = await newTab()
    await phone.goto(link)
    await seen(phone, 'h1', 'Your order')
    await seen(desk, '#who', 'The payer is here.')
    await click(phone, '#proceed')
    await seen(desk, '#now', 'Continued to payment')
    await click(phone, 'input[value="pix"]')
    await click(phone, '#sample')
    await click(phone, '#filled')
    await click(phone, '#pay')
    await seen(desk, '#now', 'Pressed pay')

    const operator = await newTab()
    await operator.goto(`${origin}/console/`)
    const row = `#rows tr[data-room="${roomOf(link)}"]`
    await seen(operator, `${row} .status`, 'Stalled')
    await seen(operator, '#funnel-headline', '0% of the payers who opened the link paid.')
    await seen(operator, '#nodes-list .facts-list dt', 'Sockets')
    await click(phone, '#approve')
    await seen(phone, 'h1', 'Paid')
    await seen(desk, '#steps .detail', 'not confirmed')
    t.strictSame(await texts(desk, '#steps .state'), ['done', 'done', 'done', 'done', 'done', 'done'])
    await seen(operator, row, 'not confirmed')

    await click(operator, `${row} button`)
    await seen(operator, '#room-events', 'PAYMENT_SUCCESS')
    t.equal((await texts(operator, '#room-events li.event')).length, 6)
    await click(operator, '[data-action="publishResult"] summary')
    await click(operator, '[data-action="publishResult"] .primary')
    await seen(operator, '[data-action="publishResult"] .answer-line[data-ok="true"]')
    t.equal((await ask('GET', `/api/rooms/${roomOf(link)}`)).seq, 7)
    await click(desk, '#open')
    await until('the phone on the desk shows the result', () => desk.evaluate(() => {
      const frame = document.querySelector('#phone iframe')
      return [...frame?.contentDocument.querySelectorAll('h1') ?? []].some((heading) => heading.checkVisibility() && heading.textContent === 'Paid')
    }))
    for (const tab of [operator, phone, desk]) await tab.close()
  })

  test('with the keyboard alone a payer pays, and an operator filters the payments, opens one and publishes its result', async (t) => {
    const { origin, ask } = await setUp(t)
    await ask('POST', '/api/rooms', { roomId: 'r', amount: 99.9, currency: 'BRL', reference: 'order 1' })
    const tab = await newTab()
    await tab.goto(`${origin}/playground/pay.html#room=r`)
    await seen(tab, 'h1', 'Your order')
    await tabTo(t, tab, '#proceed')
    await tab.press('Enter')
    await seen(tab, 'h1', 'How do you want to pay?')
    await tabTo(t, tab, 'input[name="method"]')
    await tab.press('Space')
    await tab.press('ArrowDown')
    await tabTo(t, tab, '#sample')
    await tab.press('Enter')
    await tabTo(t, tab, '#filled')
    await tab.press('Enter')
    await seen(tab, '#chosen', 'Card')
    await tabTo(t, tab, '#pay')
    await tab.press('Space')
    await seen(tab, 'h1', 'Waiting for the bank')
    await until('the payment has stalled', async () => (await ask('GET', '/api/rooms')).rooms[0].stalled)

    await tab.goto(`${origin}/console/`)
    await seen(tab, '#rows tr.is-stalled', 'Pressed pay')
    await tabTo(t, tab, '[data-view="failures"]')
    await tab.press('Space')
    await seen(tab, '#empty', 'No payment matches.')
    await tabTo(t, tab, '#step')
    // The other way round, to the number of all payments.
    await tab.evaluate(() => document.querySelector('[data-view="all"]')!.focus())
    await tab.press('Enter')
    await tabTo(t, tab, '#rows button')
    await tab.press('Enter')
    await seen(tab, '#room-events', 'CLICKED_PAY')
    t.ok(await tab.evaluate(() => document.activeElement.matches('#room-title')), 'the focus goes to the payment')
    await tabTo(t, tab, '[data-action="publishResult"] summary')
    await tab.press('Enter')
    await tabTo(t, tab, '[data-action="publishResult"] .primary')
    await tab.press('Enter')
    await seen(tab, '#room-status', 'Paid · R$99.90 · not confirmed')
    await tab.press('Escape')
    t.ok(await tab.evaluate(() => document.activeElement.matches('#rows button')), 'the focus goes back to the list')
    await tab.close()
  })

  test('both pages change their language, and need no sideways scrolling at 320 px', async (t) => {
    const { origin, ask } = await setUp(t)
    await ask('POST', '/api/rooms', { roomId: 'payment_with_a_long_name_1', amount: 1234.5, currency: 'BRL', reference: 'Order of a customer with a long name' })
    const tab = await newTab()
    for (const [path, english, portuguese, selector] of [
      ['/playground/', 'Payment playground', 'Laboratório de pagamentos', '#status1[data-status="online"]'],
      ['/playground/pay.html#room=payment_with_a_long_name_1', 'Your order', 'Seu pedido', '#proceed'],
      ['/console/', 'Payment console', 'Console de pagamentos', '#rows tr'],
      ['/console/#room=payment_with_a_long_name_1', 'Order of a customer with a long name', 'Order of a customer with a long name', '#actions summary']
    ] as const) {
      // A change after the # alone would not load the page anew.
      await tab.goto('about:blank')
      await tab.goto(`${origin}/narrow#${encodeURIComponent(path)}`)
      for (const [language, title] of [['en', english], ['pt', portuguese]] as const) {
        await until(`${path} is seen in ${language}`, () => tab.evaluate((language, title, selector) => {
          const { contentDocument: page } = document.querySelector('#narrow')!
          const choice = page.querySelector(`.languages [lang="${language}"]`)
          choice?.click()
          return [...page.querySelectorAll('h1, h2')].some((heading) => heading.checkVisibility() && heading.textContent === title) && page.querySelector(selector)?.checkVisibility() === true
        }, language, title, selector))
        const { lang, width, overflow } = await tab.evaluate(() => {
          const { contentDocument: { documentElement }, contentWindow: { innerWidth } } = document.querySelector('#narrow')!
          return { lang: documentElement.lang, width: innerWidth, overflow: documentElement.scrollWidth - documentElement.clientWidth }
        })
        t.strictSame({ lang, width, overflow }, { lang: language === 'pt' ? 'pt-BR' : 'en', width: 320, overflow: 0 }, path)
      }
    }
    await tab.close()
  })
}

for (const engine of ENGINES) {
  const newTab = tabsOf(t, engine, { forcedColors: true })
  const needs = engine.name === 'WebKit' ? { skip: 'WebKitGTK has no forced colours' } : engine.needs
  t.test(`${engine.name}: in forced colours the QR code keeps its own, and marks, bars and pressed buttons are seen`, needs, async (t) => {
    const { origin, ask } = await setUp(t)
    await ask('POST', '/api/rooms', { roomId: 'r' })
    await ask('POST', '/api/rooms/r/events', { type: 'CLICKED_PAY' })
    const tab = await newTab()
    await tab.goto(`${origin}/playground/`)
    await linkOf(tab)
    t.ok(await tab.evaluate(() => matchMedia('(forced-colors: active)').matches))
    t.equal(await tab.evaluate(() => getComputedStyle(document.querySelector('#qr')!).backgroundColor), 'rgb(255, 255, 255)')
    const { marks, ground } = await tab.evaluate(() => ({
      marks: [...document.querySelectorAll('#steps li')].map((step) => getComputedStyle(step, '::before').borderTopColor),
      ground: getComputedStyle(document.querySelector('#device1')!).backgroundColor
    }))
    t.equal(marks.length, 6)
    t.notOk(marks.includes(ground), 'each mark of a step differs from its ground')

    await tab.goto(`${origin}/console/`)
    await seen(tab, '#funnel-steps .bar')
    const colors = (selector: string) => tab.evaluate((selector) => [...document.querySelectorAll(selector)].map((element) => getComputedStyle(element).backgroundColor), selector)
    const bars = new Set(await colors('#funnel-steps .bar i'))
    t.equal(bars.size, 1, 'all bars have the colour of the person')
    t.notOk(bars.has((await colors('#funnel'))[0]!), 'and differ from their ground')
    t.strictSame(new Set(await colors(':is(#windows, .languages) [aria-pressed="true"]')), bars, 'so have the chosen period and language')
    t.not((await colors('#windows [aria-pressed="false"]'))[0], [...bars][0])
    t.strictSame(await colors('.tile[aria-pressed="true"]'), await colors('#funnel'), 'the chosen number has the ground of the page')
    await tab.close()
  })
}
