// The client in the engines of Chromium, Firefox and Safari: reload, back and forward, network loss, closed page, refused storage. The other device always
// ends with the right state.
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { connect, type Room } from '../../src/client/index.js'
import { listen } from '../build.js'
import { bundle } from '../client/bundle.js'
import { gateway, type Gateway } from '../client/gateway.js'
import { ENGINES, tabsOf, type Tab } from '../engines.js'
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

// A page whose storage the browser refuses, as some do in private mode, in a frame of a sandbox: it tells the page around it how it goes.
const SANDBOX = '<!doctype html><iframe sandbox="allow-scripts" src="/inner"></iframe><script>onmessage = ({ data }) => { window.inner = data }</script>'
const INNER = `<!doctype html><script type="module">
  import { connect } from '/client.js'
  let storage = 'allowed'
  try { sessionStorage.getItem('a') } catch ({ name }) { storage = name }
  const room = connect({ url: location.href.replace('/inner', ''), roomId: 'r', role: 'device2' })
  const { seq } = await room.publish('CLICKED_PAY')
  parent.postMessage({ storage, seq, step: room.state.step }, '*')
</script>`

interface PageGlobals { room: Room, events: unknown[], life: number, persisted?: boolean, inner?: object }
declare const window: PageGlobals
declare const document: EventTarget
declare const history: { back: () => void }

interface PageOptions { readonly role: 'device1' | 'device2', readonly page?: string, readonly pongTimeout?: number, readonly socketAttempts?: number }

interface Setting {
  readonly gate: Gateway
  readonly tab: Tab
  readonly other: Room
  readonly received: Array<[string, number]>
  readonly log: () => Promise<string[]>
}

/** Starts the server behind a gateway, a page of one role, and the other device as a Node client. */
async function setUp (t: Test, newTab: () => Promise<Tab>, { role, page = 'page', ...options }: PageOptions): Promise<Setting> {
  const { url, port } = await listen(t)
  const gate = await gateway(t, port, { '/page': PAGE, '/sandbox': SANDBOX, '/inner': INNER, '/elsewhere': '<!doctype html><h1>elsewhere</h1>', '/client.js': (await bundle()).text })
  const other = connect({ url, roomId: 'r', role: role === 'device1' ? 'device2' : 'device1', WebSocket })
  t.teardown(() => other.close())
  const received: Array<[string, number]> = []
  other.on('event', ({ type, seq }) => { received.push([type, seq]) })
  const address = `${gate.origin}/${page}?role=${role}&options=${encodeURIComponent(JSON.stringify(options))}`
  const tab = await newTab()
  await tab.goto(address)
  const log = async () => {
    const { data } = await (await fetch(`${url.replace('ws', 'http')}/api/rooms/r/events`)).json() as { data: { events: Array<{ type: string }> } }
    return data.events.map(({ type }) => type)
  }
  return { gate, tab, other, received, log }
}

/** Waits for a condition in the page, which may be loading. */
const holds = (tab: Tab, what: string, condition: () => unknown) => until(what, () => tab.evaluate(condition).then(Boolean, () => false), 30_000)
const online = (tab: Tab) => holds(tab, 'the page is online', () => window.room?.status === 'online')

for (const engine of ENGINES) {
  const newTab = tabsOf(t, engine)
  const test = (name: string, run: (t: Test) => Promise<void>) => t.test(`${engine.name}: ${name}`, engine.needs, run)

  test('a page that is reloaded in mid-flow goes on: its events are logged once, and no event is emitted again', async (t) => {
    const { gate, tab, other, received, log } = await setUp(t, newTab, { role: 'device2' })
    await online(tab)
    await tab.evaluate(async () => { await window.room.publish('ENTERED_SUMMARY') })
    await other.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
    await holds(tab, 'the page received the method', () => window.room.position?.seq === 2)
    // From here on nothing that the page sends gets through, by socket or by request.
    gate.sockets = 'swallow'
    gate.publishing = 'refuse'
    const before = await tab.evaluate(() => {
      void window.room.publish('DATA_FILLED', { fields: ['name'] })
      void window.room.publish('CLICKED_PAY')
      return { device: window.room.deviceId, life: window.life }
    })
    await tab.reload()
    // A browser may repeat a request whose connection broke.
    await until('the page tried by one request, too', () => gate.published.length > 0)
    t.strictSame(new Set(gate.published.map((body) => JSON.parse(body).events.map(({ type }: { type: string }) => type).join())), new Set(['DATA_FILLED,CLICKED_PAY']))
    gate.sockets = 'pass'
    gate.publishing = 'pass'
    await until('the shop received all events', () => other.position?.seq === 4, 30_000)
    await online(tab)
    const after = await tab.evaluate(() => ({ device: window.room.deviceId, life: window.life }))
    t.equal(after.device, before.device)
    t.not(after.life, before.life)
    t.strictSame(await log(), ['ENTERED_SUMMARY', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY'])
    t.strictSame(received, [['ENTERED_SUMMARY', 1], ['DATA_FILLED', 3], ['CLICKED_PAY', 4]])
    t.match(other.state, { step: 'CLICKED_PAY', method: 'pix', fields: ['name'] })
    t.strictSame(await tab.evaluate(() => window.events), [])
    await holds(tab, 'the page has its own events', () => window.room.position?.seq === 4)
    t.match(await tab.evaluate(() => window.room.state), { ...other.state, updatedAt: Number })
  })

  test('a page that is left and entered again by the back button catches up', async (t) => {
    const { gate, tab, other } = await setUp(t, newTab, { role: 'device1' })
    await online(tab)
    await other.publish('ENTERED_SUMMARY')
    await holds(tab, 'the page received the first event', () => window.room.position?.seq === 1)
    const { upgrades } = gate
    const life = await tab.evaluate(() => window.life)
    await tab.goto(`${gate.origin}/elsewhere`)
    await other.publish('CLICKED_PAY')
    await other.publish('PAYMENT_SUCCESS', { transactionId: 'tx_1' })
    // The navigation itself is not awaited: a page from the cache has no load event.
    await tab.evaluate(() => history.back()).catch(() => {})
    await holds(tab, 'the page received all events', () => window.room?.position?.seq === 3)
    // An engine may load the page anew instead; it then goes on at the stored position.
    const isSame = await tab.evaluate(() => window.life) === life
    t.equal(await tab.evaluate(() => window.persisted === true), isSame)
    if (engine.name === 'Chromium') t.ok(isSame, 'the page is from the back/forward cache')
    const news = [['CLICKED_PAY', 2], ['PAYMENT_SUCCESS', 3]]
    t.strictSame(await tab.evaluate(() => window.events), isSame ? [['ENTERED_SUMMARY', 1], ...news] : news)
    t.match(await tab.evaluate(() => window.room.state), { status: 'succeeded', outcome: { transactionId: 'tx_1' } })
    t.equal(gate.upgrades, upgrades + 1, 'the page opened one new socket')
  })

  test('a page without network keeps its events until the network is back, and misses no event meanwhile', async (t) => {
    const { gate, tab, other, received, log } = await setUp(t, newTab, { role: 'device2', pongTimeout: 500 })
    await online(tab)
    gate.isDown = true
    await tab.setOffline(true)
    await holds(tab, 'the page is offline', () => window.room.status === 'offline')
    await tab.evaluate(() => {
      void window.room.publish('CLICKED_PROCEED')
      void window.room.publish('CLICKED_PAY')
    })
    await other.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
    gate.isDown = false
    await tab.setOffline(false)
    await until('the shop received all events', () => other.position?.seq === 3, 30_000)
    await holds(tab, 'the page received all events', () => window.room.position?.seq === 3)
    t.strictSame(await log(), ['PAYMENT_METHOD_CHANGED', 'CLICKED_PROCEED', 'CLICKED_PAY'])
    t.strictSame(received.map(([type]) => type), ['CLICKED_PROCEED', 'CLICKED_PAY'])
    t.strictSame(await tab.evaluate(() => window.events.length), 1)
    t.match(other.state, { step: 'CLICKED_PAY', method: 'pix' })
  })

  for (const sockets of ['pass', 'swallow'] as const) {
    test(`a page that is closed right after CLICKED_PAY has it logged once, ${sockets === 'pass' ? 'both ways' : 'though its socket was dead'}`, async (t) => {
      const { gate, tab, other, received, log } = await setUp(t, newTab, { role: 'device2' })
      await online(tab)
      await tab.evaluate(async () => { await window.room.publish('CLICKED_PROCEED') })
      gate.sockets = sockets
      await tab.evaluate(() => { void window.room.publish('CLICKED_PAY') })
      await tab.close()
      await until('the shop received CLICKED_PAY', () => other.state?.step === 'CLICKED_PAY')
      if (sockets === 'swallow') t.ok(gate.published.length > 0)
      await until('no request is pending', () => gate.publishingNow === 0)
      t.strictSame(await log(), ['CLICKED_PROCEED', 'CLICKED_PAY'])
      t.strictSame(received, [['CLICKED_PROCEED', 1], ['CLICKED_PAY', 2]])
    })
  }

  test('a page that is hidden, and closed later, has sent its event when it was hidden', async (t) => {
    const { gate, tab, other, received, log } = await setUp(t, newTab, { role: 'device2' })
    await online(tab)
    gate.sockets = 'swallow'
    // The drivers do not hide a page in the same way, or at all: the page says it of itself. From here on it may be discarded at any moment.
    await tab.evaluate(() => {
      void window.room.publish('CLICKED_PAY')
      Object.defineProperty(document, 'visibilityState', { value: 'hidden' })
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await until('the shop received CLICKED_PAY while the page is there', () => other.state?.step === 'CLICKED_PAY')
    t.equal(gate.published.length, 1)
    await tab.evaluate(() => { void window.room.publish('PAYMENT_ERROR', { error: 'declined' }) })
    await until('a hidden page sends a further event at once', () => other.state?.status === 'failed')
    await tab.close()
    await until('no request is pending', () => gate.publishingNow === 0)
    t.strictSame(await log(), ['CLICKED_PAY', 'PAYMENT_ERROR'])
    t.strictSame(received, [['CLICKED_PAY', 1], ['PAYMENT_ERROR', 2]])
  })

  test('a client on a network that blocks sockets works over a stream', async (t) => {
    const { gate, tab, other, received } = await setUp(t, newTab, { role: 'device2', socketAttempts: 1 })
    await online(tab)
    gate.sockets = 'refuse'
    await tab.reload()
    await online(tab)
    t.equal(await tab.evaluate(() => window.room.transport), 'stream')
    t.match(await tab.evaluate(() => window.room.publish('CLICKED_PAY')), { seq: 1, duplicate: false })
    await other.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
    await holds(tab, 'the page received the method', () => window.room.position?.seq === 2)
    t.strictSame(await tab.evaluate(() => window.events), [['PAYMENT_METHOD_CHANGED', 2]])
    t.strictSame(received, [['CLICKED_PAY', 1]])
  })

  test('a page whose storage is refused pays all the same', async (t) => {
    const { tab, received } = await setUp(t, newTab, { role: 'device2', page: 'sandbox' })
    await holds(tab, 'the frame has paid', () => window.inner)
    t.strictSame(await tab.evaluate(() => window.inner), { storage: 'SecurityError', seq: 1, step: 'CLICKED_PAY' })
    t.strictSame(received, [['CLICKED_PAY', 1]])
  })
}
