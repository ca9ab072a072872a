// The client against the real server: whatever frame a connection dies on, nothing is missing, doubled or out of order.
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { connect, type ConnectOptions, type PaymentEventType, type Room } from '../../src/client/index.js'
import { build, listen } from '../build.js'
import { FakePage, FakeStorage, listenTo, of } from './fake-server.js'
import { until } from '../until.js'

const FLOW: Array<[PaymentEventType, Record<string, unknown>]> = [
  ['ENTERED_SUMMARY', {}],
  ['CLICKED_PROCEED', {}],
  ['PAYMENT_METHOD_CHANGED', { method: 'pix' }],
  ['DATA_FILLED', { fields: ['name'] }],
  ['CLICKED_PAY', {}],
  ['PAYMENT_ERROR', { error: 'declined', code: '51' }],
  ['PAYMENT_SUCCESS', { transactionId: 'tx_1', amount: 99.9 }]
]

// All waits of the client are a twenty-fifth of what they are; the least of them is 20 ms.
const hurried: Partial<ConnectOptions> = { WebSocket, storage: null, setTimeout: (run, ms) => setTimeout(run, ms / 25), clearTimeout: (timer) => clearTimeout(timer) }

/** How a connection dies on a frame: before it got through, after it did, or without a word, half-open. */
const WAYS = ['before', 'after', 'silent'] as const

/** A WebSocket whose n-th frame in one direction, counted over all connections, is fatal. `was` tells whether it came to that. */
function mortal (direction: 'out' | 'in', n: number, way: typeof WAYS[number]) {
  const fate = { frames: 0, was: false }
  class MortalSocket extends WebSocket {
    #dead = false
    #isFatal () {
      if (++fate.frames !== n) return false
      fate.was = true
      this.#dead = way === 'silent'
      return true
    }

    override send (data: string): void {
      if (this.#dead) return
      if (direction !== 'out' || !this.#isFatal()) return super.send(data)
      if (way === 'before') this.terminate()
      if (way === 'after') super.send(data, () => this.terminate())
    }

    override emit (event: string | symbol, ...args: any[]): boolean {
      if (event !== 'message') return super.emit(event, ...args)
      if (this.#dead) return true
      if (direction !== 'in' || !this.#isFatal()) return super.emit(event, ...args)
      if (way === 'after') super.emit(event, ...args)
      if (way !== 'silent') this.terminate()
      return true
    }
  }
  return { fate, MortalSocket }
}

/** A client that is in a hurry, and leaves with the test. */
function enter (t: Test, options: Partial<ConnectOptions> & Pick<ConnectOptions, 'url' | 'role'>): Room {
  const room = connect({ ...hurried, roomId: 'r', ...options })
  t.teardown(() => room.close())
  return room
}

async function json (url: string, path: string): Promise<any> {
  return (await (await fetch(url.replace('ws', 'http') + path)).json() as { data: unknown }).data
}

t.test('a socket that dies on any frame of the flow, on either side, costs nothing', async (t) => {
  const { url } = await listen(t, { env: { REQUESTS_PER_SECOND: '0' } })
  let deaths = 0

  async function run (who: 'shop' | 'phone', direction: 'out' | 'in', n: number, way: typeof WAYS[number]): Promise<boolean> {
    const name = `${who} dies ${way} frame ${n} ${direction}`
    const roomId = name.replaceAll(' ', '_')
    const { fate, MortalSocket } = mortal(direction, n, way)
    // On a slow machine a socket may not join in such a hurry; it is to be tried again, and no stream in its place.
    const shop = enter(t, { url, roomId, role: 'device1', socketAttempts: Infinity, ...(who === 'shop' && { WebSocket: MortalSocket }) })
    const phone = enter(t, { url, roomId, role: 'device2', socketAttempts: Infinity, ...(who === 'phone' && { WebSocket: MortalSocket }) })
    const [heard, told] = [listenTo(shop), listenTo(phone)]
    const receipts = []
    for (const [type, payload] of FLOW) receipts.push(await phone.publish(type, payload))
    await until(`${name}: the shop heard all`, () => shop.position?.seq === FLOW.length && shop.status === 'online')
    const [room, log] = [await json(url, `/api/rooms/${roomId}`), await json(url, `/api/rooms/${roomId}/events`)]
    t.strictSame({
      log: log.events.map(({ type, seq }: any) => [type, seq]),
      heard: of(heard, 'event').map(({ type, seq }) => [type, seq]),
      receipts: receipts.map(({ seq }) => seq),
      shop: shop.state,
      told: of(told, 'event'),
      gaps: [...of(heard, 'gap'), ...of(told, 'gap')]
    }, {
      log: FLOW.map(([type], i) => [type, i + 1]),
      heard: FLOW.map(([type], i) => [type, i + 1]),
      receipts: FLOW.map((_, i) => i + 1),
      shop: room.state,
      told: [],
      gaps: []
    }, name)
    t.match(phone.state, { step: 'CLICKED_PAY', method: 'pix', status: 'succeeded', outcome: { transactionId: 'tx_1' } })
    shop.close()
    phone.close()
    if (fate.was) deaths++
    return fate.was
  }

  const directions = (['shop', 'phone'] as const).flatMap((who) => (['out', 'in'] as const).flatMap((direction) => WAYS.map((way) => ({ who, direction, way }))))
  await Promise.all(directions.map(async ({ who, direction, way }) => {
    // Until there is no such frame any more.
    let n = 1
    while (await run(who, direction, n, way)) n++
  }))
  // The phone sends 1 + 7 frames and gets 2 + 7, the shop sends 1 and gets 2 + 7; each dies three ways.
  t.ok(deaths >= 3 * (8 + 9 + 1 + 9), `${deaths} deaths`)
})

t.test('a page that goes tells its event both ways, and the server takes it for one', async (t) => {
  const { url } = await listen(t)
  const page = new FakePage()
  const shop = enter(t, { url, role: 'device1' })
  const heard = listenTo(shop)
  const phone = enter(t, { ...page, url, role: 'device2' })
  await until('both are there', () => shop.status === 'online' && phone.status === 'online')
  const receipts = FLOW.map(([type, payload]) => phone.publish(type, { ...payload, note: 'ç "quoted" \u2028', nested: { b: 1, a: [2, null] } }))
  page.tell('pagehide')
  await Promise.all(receipts)
  page.tell('pageshow')
  await until('it is back', () => phone.status === 'online' && phone.position?.seq === FLOW.length)
  await until('the shop heard', () => shop.position?.seq === FLOW.length)
  const { events } = await json(url, '/api/rooms/r/events')
  t.strictSame(events.map(({ type }: any) => type).toSorted(), FLOW.map(([type]) => type).toSorted())
  t.strictSame(of(heard, 'event').map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7])
  t.strictSame(phone.state, shop.state)
})

t.test('without any socket, the stream and requests do as well', async (t) => {
  const { url, app } = await listen(t)
  const noSocket = class extends WebSocket { constructor () { super(url.replace(/:\d+$/, ':1')) } }
  const shop = enter(t, { url, role: 'device1', WebSocket: noSocket })
  const phone = enter(t, { url, role: 'device2', WebSocket: noSocket })
  const heard = listenTo(shop)
  for (const [type, payload] of FLOW) await phone.publish(type, payload)
  await until('the shop heard', () => shop.position?.seq === FLOW.length)
  t.strictSame([shop.transport, phone.transport], ['stream', 'stream'])
  t.strictSame(of(heard, 'event').map(({ type }) => type), FLOW.map(([type]) => type))
  await until('the server has weighed the result, which came by a request', () => shop.state?.status === 'succeeded')
  t.match(shop.state, { step: 'CLICKED_PAY', outcome: { transactionId: 'tx_1' } })
  shop.close()
  phone.close()
  await until('both left', () => app.rooms.size === 0)
})

t.test('a stream resumes where it was cut', async (t) => {
  const { url, app } = await listen(t)
  const shop = enter(t, { url, role: 'device1', WebSocket: null as never })
  const heard = listenTo(shop)
  const phone = enter(t, { url, role: 'device2' })
  await until('the stream is there', () => shop.status === 'online')
  for (const [type, payload] of FLOW) {
    await phone.publish(type, payload)
    app.server.closeAllConnections()
  }
  await until('the shop heard', () => shop.position?.seq === FLOW.length)
  t.strictSame(of(heard, 'event').map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7])
  t.strictSame(of(heard, 'gap'), [])
})

t.test('a server that comes back without its log is a gap, and what was not acknowledged gets into the new one', async (t) => {
  const first = await listen(t)
  const { url, port } = first
  const shop = enter(t, { url, role: 'device1' })
  const phone = enter(t, { url, role: 'device2' })
  const heard = listenTo(shop)
  await phone.publish('CLICKED_PROCEED')
  await until('the shop heard', () => shop.position?.seq === 1)
  await first.app.close()
  await until('both noticed', () => shop.status === 'offline' && phone.status === 'offline')
  const receipt = phone.publish('CLICKED_PAY')
  const second = await build(t)
  await second.app.listen({ port, host: '127.0.0.1' })
  t.match(await receipt, { seq: 1, duplicate: false })
  await until('the shop heard', () => shop.state?.step === 'CLICKED_PAY' && shop.position?.seq === 1)
  t.equal(of(heard, 'gap').length, 1)
  t.strictSame(of(heard, 'event').map(({ type }) => type), ['CLICKED_PROCEED', 'CLICKED_PAY'])
  t.equal(new Set(of(heard, 'event').map(({ epoch }) => epoch)).size, 2)
})

t.test('a room that a backend closes is closed for its clients, and for those that come late', async (t) => {
  const { url } = await listen(t)
  const storage = new FakeStorage()
  const open = (deviceId: string): Room => enter(t, { url, role: 'device1', deviceId, storage })
  const early = open('early')
  await until('it is there', () => early.status === 'online')
  const closing = new Promise((resolve) => { early.on('closed', resolve) })
  await fetch(`${url.replace('ws', 'http')}/api/rooms/r`, { method: 'DELETE' })
  t.strictSame(await closing, { code: 4505, reason: 'closed' })
  const late = open('late')
  t.strictSame(await new Promise((resolve) => { late.on('closed', resolve) }), { code: 4505, reason: 'ROOM_CLOSED' })
  t.equal(storage.items.size, 0)
})

t.test('what the server refuses for good is refused here too, and the socket goes on', async (t) => {
  const { url } = await listen(t)
  const phone = enter(t, { url, role: 'device2' })
  await t.rejects(phone.publish('PAYMENT_SUCCESS', { amount: -1 }), { name: 'RoomError', code: 'INVALID_FRAME', retryable: false })
  await phone.publish('CLICKED_PAY', {}, { id: 'a' })
  await t.rejects(phone.publish('CLICKED_PAY', { other: true }, { id: 'a' }), { code: 'ID_CONFLICT' })
  t.match(await phone.publish('CLICKED_PAY'), { seq: 2 })
  await t.rejects(phone.publish('CLICKED_PAY', { note: '4111 1111 1111 1111' }), { name: 'RoomError', code: 'SENSITIVE_DATA', retryable: false })
  await t.rejects(phone.publish('CLICKED_PAY', {}, { id: '4111111111111111' }), { code: 'SENSITIVE_DATA' })
  t.match(await phone.publish('CLICKED_PAY'), { seq: 3 })
  t.equal(phone.status, 'online')
})

t.test('devices see each other come and go', async (t) => {
  const { url } = await listen(t)
  const shop = enter(t, { url, role: 'device1', deviceId: 'shop', presence: true })
  const names = () => shop.members.map(({ deviceId, role }) => `${deviceId} ${role}`)
  await until('the shop is there', () => shop.members.length === 1)
  const phone = enter(t, { url, role: 'device2', deviceId: 'phone' })
  await until('the phone is there', () => shop.members.length === 2)
  t.strictSame(names(), ['shop device1', 'phone device2'])
  phone.close()
  await until('the phone left', () => shop.members.length === 1)
  t.strictSame(names(), ['shop device1'])
})

t.test('Node\'s own WebSocket is taken where there is one', async (t) => {
  const { url } = await listen(t)
  const room = connect({ url, roomId: 'r', role: 'device1' })
  await until('it is there', () => room.status === 'online')
  t.equal(room.transport, 'WebSocket' in globalThis ? 'socket' : 'stream')
  room.close()
})

t.test('where tokens are asked for, a client with fresh ones comes back after each has expired, and nothing is missing', async (t) => {
  const { app, url } = await listen(t, {
    // A log that holds all of it: whoever is away for a moment has missed no more than that.
    env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret for tests with 32 bytes and more', ROOM_LOG_SIZE: '100000' }
  })
  const headers = { authorization: 'Bearer key' }
  await app.inject({ method: 'POST', url: '/api/rooms', headers, payload: { roomId: 'r' } })
  const minted = { device1: 0, device2: 0 }
  const fresh = (role: 'device1' | 'device2') => async (): Promise<string> => {
    minted[role]++
    return (await app.inject({ method: 'POST', url: '/api/rooms/r/tokens', headers, payload: { role, ttlSeconds: 2 } })).json().data.token
  }
  const shop = enter(t, { url, role: 'device1', token: fresh('device1') })
  const phone = enter(t, { url, role: 'device2', token: fresh('device2') })
  const heard = listenTo(shop)
  for (let n = 0; minted.device1 < 3 || minted.device2 < 3; n++) {
    await phone.publish('CLICKED_PAY', { n })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until('the shop heard all', () => shop.position?.seq === phone.position?.seq)
  t.strictSame(of(heard, 'event').map(({ seq }) => seq), Array.from({ length: shop.position!.seq }, (_, i) => i + 1))
  t.strictSame(of(heard, 'gap'), [])
  t.strictSame(of(heard, 'closed'), [])
})

t.test('a client whose token is none, or for another room, gives up and says why', async (t) => {
  const { app, url } = await listen(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret for tests with 32 bytes and more' } })
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key' }, payload: { roomId: 'other' } })).json().data
  for (const [token, reason] of [[undefined, 'INVALID_TOKEN'], ['none', 'INVALID_TOKEN'], [tokens.device1, 'FORBIDDEN']] as const) {
    const heard = listenTo(enter(t, { url, role: 'device1', token }))
    await until('it gave up', () => of(heard, 'closed').length > 0)
    t.match(of(heard, 'closed'), [{ reason }])
  }
})
