// The client in a real browser: reload, back/forward cache, network loss, closed page. The other device always ends with the right state.
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { WebSocket } from 'ws'
import { connect, type Room } from '../../src/client/index.js'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { bundle } from '../client/bundle.js'
import { gateway, type Gateway } from '../client/gateway.js'
import { until } from '../until.js'

// The page records the events it receives; `life` tells a page restored from the cache from a page that was loaded anew.
const PAGE = `<!doctype html><title>payment</title><h1>payment</h1><script type="module">
  import { connect } from '/client.js'
  const query = new URLSearchParams(location.search)
  const events = []
  const room = connect({ url: '/', roomId: 'r', role: query.get('role'), ...JSON.parse(query.get('options') ?? '{}') })
  room.on('event', ({ type, seq }) => events.push([type, seq]))
  room.on('gap', (gap) => events.push(['gap', gap]))
  addEventListener('pageshow', ({ persisted }) => { window.persisted = persisted })
  Object.assign(window, { room, events, life: Math.random() })
</script>`

interface PageGlobals { room: Room, events: unknown[], life: number, persisted?: boolean }
declare const window: PageGlobals
declare const navigator: { onLine: boolean }
declare const history: { back: () => void }

/** Starts the server behind a gateway, a browser page of one role, and the other device as a Node client. */
async function setUp (t: Test, role: 'device1' | 'device2', options: object = {}): Promise<{ gate: Gateway, page: Page, address: string, other: Room, received: Array<[string, number]>, log: () => Promise<string[]> }> {
  const { url, port } = await listen(t)
  const gate = await gateway(t, port, { '/page': PAGE, '/elsewhere': '<!doctype html><h1>elsewhere</h1>', '/client.js': (await bundle()).text })
  const other = connect({ url, roomId: 'r', role: role === 'device1' ? 'device2' : 'device1', WebSocket })
  t.teardown(() => other.close())
  const received: Array<[string, number]> = []
  other.on('event', ({ type, seq }) => { received.push([type, seq]) })
  const address = `${gate.origin}/page?role=${role}&options=${encodeURIComponent(JSON.stringify(options))}`
  // Playwright would disable the back/forward cache by default.
  const { page } = await openPage(t, address, { ignoreDefaultArgs: ['--disable-back-forward-cache'] })
  await online(page)
  const log = async () => {
    const { data } = await (await fetch(`${url.replace('ws', 'http')}/api/rooms/r/events`)).json() as { data: { events: Array<{ type: string }> } }
    return data.events.map(({ type }) => type)
  }
  return { gate, page, address, other, received, log }
}

const online = (page: Page) => page.waitForFunction(() => window.room?.status === 'online')

t.test('A page that is reloaded in mid-flow goes on: its events are logged once, and no event is emitted again', needsChromium, async (t) => {
  const { gate, page, other, received, log } = await setUp(t, 'device2')
  await page.evaluate(() => window.room.publish('ENTERED_SUMMARY'))
  await other.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
  await page.waitForFunction(() => window.room.position?.seq === 2)
  // From here on nothing that the page sends gets through, by socket or by request.
  gate.sockets = 'swallow'
  gate.publishing = 'refuse'
  const before = await page.evaluate(() => {
    void window.room.publish('DATA_FILLED', { fields: ['name'] })
    void window.room.publish('CLICKED_PAY')
    return { device: window.room.deviceId, life: window.life }
  })
  await page.reload()
  // A browser may repeat a request whose connection broke.
  const published = new Set(gate.published.map((body) => JSON.parse(body).events.map(({ type }: { type: string }) => type).join()))
  t.strictSame(published, new Set(['DATA_FILLED,CLICKED_PAY']), 'the page tried by one request, too')
  gate.sockets = 'pass'
  gate.publishing = 'pass'
  await until('the shop received all events', () => other.position?.seq === 4, 30_000)
  await online(page)
  const after = await page.evaluate(() => ({ device: window.room.deviceId, life: window.life }))
  t.equal(after.device, before.device)
  t.not(after.life, before.life)
  t.strictSame(await log(), ['ENTERED_SUMMARY', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY'])
  t.strictSame(received, [['ENTERED_SUMMARY', 1], ['DATA_FILLED', 3], ['CLICKED_PAY', 4]])
  t.match(other.state, { step: 'CLICKED_PAY', method: 'pix', fields: ['name'] })
  t.strictSame(await page.evaluate(() => window.events), [])
  t.match(await page.evaluate(() => window.room.state), { ...other.state, updatedAt: Number })
})

t.test('A page restored from the back/forward cache catches up', needsChromium, async (t) => {
  const { gate, page, other } = await setUp(t, 'device1')
  await other.publish('ENTERED_SUMMARY')
  await page.waitForFunction(() => window.room.position?.seq === 1)
  const { upgrades } = gate
  const life = await page.evaluate(() => window.life)
  await page.goto(`${gate.origin}/elsewhere`)
  await other.publish('CLICKED_PAY')
  await other.publish('PAYMENT_SUCCESS', { transactionId: 'tx_1' })
  // The navigation itself is not awaited: a page from the cache has no load event.
  await page.evaluate(() => history.back()).catch(() => {})
  await page.waitForFunction(() => window.room?.position?.seq === 3)
  t.strictSame(await page.evaluate(() => [window.life, window.persisted]), [life, true], 'the page is the same')
  t.strictSame(await page.evaluate(() => window.events), [['ENTERED_SUMMARY', 1], ['CLICKED_PAY', 2], ['PAYMENT_SUCCESS', 3]])
  t.match(await page.evaluate(() => window.room.state), { status: 'succeeded', outcome: { transactionId: 'tx_1' } })
  t.equal(gate.upgrades, upgrades + 1, 'the page opened one new socket')
})

t.test('A page without network keeps its events until the network is back, and misses no event meanwhile', needsChromium, async (t) => {
  const { page, other, received, log } = await setUp(t, 'device2', { pongTimeout: 500 })
  await page.context().setOffline(true)
  await page.waitForFunction(() => !navigator.onLine)
  await page.evaluate(() => {
    void window.room.publish('CLICKED_PROCEED')
    void window.room.publish('CLICKED_PAY')
  })
  await other.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
  await page.context().setOffline(false)
  await until('the shop received all events', () => other.position?.seq === 3, 30_000)
  await page.waitForFunction(() => window.room.position?.seq === 3)
  t.strictSame((await log()).toSorted(), ['CLICKED_PAY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED'])
  t.strictSame(received.map(([type]) => type), ['CLICKED_PROCEED', 'CLICKED_PAY'])
  t.strictSame(await page.evaluate(() => window.events.length), 1)
  t.match(other.state, { step: 'CLICKED_PAY', method: 'pix' })
})

for (const sockets of ['pass', 'swallow'] as const) {
  t.test(`A page that is closed right after CLICKED_PAY has it logged once, ${sockets === 'pass' ? 'both ways' : 'though its socket was dead'}`, needsChromium, async (t) => {
    const { gate, page, other, received, log } = await setUp(t, 'device2')
    await page.evaluate(() => window.room.publish('CLICKED_PROCEED'))
    gate.sockets = sockets
    await page.evaluate(() => { void window.room.publish('CLICKED_PAY') })
    await page.close({ runBeforeUnload: true })
    await until('the shop received CLICKED_PAY', () => other.state?.step === 'CLICKED_PAY')
    if (sockets === 'swallow') t.ok(gate.published.length > 0)
    await until('no request is pending', () => gate.publishingNow === 0)
    t.strictSame(await log(), ['CLICKED_PROCEED', 'CLICKED_PAY'])
    t.strictSame(received, [['CLICKED_PROCEED', 1], ['CLICKED_PAY', 2]])
  })
}

t.test('A client on a network that blocks sockets works over a stream', needsChromium, async (t) => {
  const { gate, page, other, received } = await setUp(t, 'device2', { socketAttempts: 1 })
  gate.sockets = 'refuse'
  await page.reload()
  await online(page)
  t.equal(await page.evaluate(() => window.room.transport), 'stream')
  t.match(await page.evaluate(() => window.room.publish('CLICKED_PAY')), { seq: 1, duplicate: false })
  await other.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
  await page.waitForFunction(() => window.room.position?.seq === 2)
  t.strictSame(await page.evaluate(() => window.events), [['PAYMENT_METHOD_CHANGED', 2]])
  t.strictSame(received, [['CLICKED_PAY', 1]])
})
