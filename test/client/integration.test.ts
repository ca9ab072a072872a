// The client against the real server: no frame on which a connection dies makes events missing, doubled or out of order.
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { FastifyInstance } from 'fastify'
import { connect, type ConnectOptions, type DevicePaymentEvent, type Room } from '../../src/client/index.js'
import { build, listen } from '../build.js'
import { freePort } from '../free-port.js'
import { FakePage, FakeStorage, listenTo, of } from './fake-server.js'
import { until } from '../until.js'

const SECRET = 'a secret for tests with 32 bytes and more'
const FLOW: Array<[DevicePaymentEvent, Record<string, unknown>]> = [
  ['ENTERED_SUMMARY', {}],
  ['CLICKED_PROCEED', {}],
  ['PAYMENT_METHOD_CHANGED', { method: 'pix' }],
  ['DATA_FILLED', { fields: ['name'] }],
  ['CLICKED_PAY', {}],
  ['PAYMENT_ERROR', { error: 'declined', code: '51' }],
  ['PAYMENT_SUCCESS', { transactionId: 'tx_1', amount: 99.9 }]
]

// All waits of the client are divided by 25; the shortest is 20 ms.
const hurried: Partial<ConnectOptions> = { WebSocket, storage: null, setTimeout: (run, ms) => setTimeout(run, ms / 25), clearTimeout: (timer) => clearTimeout(timer) }

/** Moment at which a connection dies on a frame: before the frame got through, after it did, or silently, half-open. */
const WAYS = ['before', 'after', 'silent'] as const

/** A WebSocket whose n-th frame in one direction, counted over all connections, is fatal. `was` is true once that frame came. */
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

/** Starts a client with short waits, which closes with the test. */
function enter (t: Test, options: Partial<ConnectOptions> & Pick<ConnectOptions, 'url' | 'role'>): Room {
  const room = connect({ ...hurried, roomId: 'r', ...options })
  t.teardown(() => room.close())
  return room
}

async function json (url: string, path: string): Promise<any> {
  return (await (await fetch(url.replace('ws', 'http') + path)).json() as { data: unknown }).data
}

t.test('A socket that dies on any frame of the flow, on either side, loses no event', async (t) => {
  const { url } = await listen(t, { env: { REQUESTS_PER_SECOND: '0' } })
  let deaths = 0

  async function run (who: 'shop' | 'phone', direction: 'out' | 'in', n: number, way: typeof WAYS[number]): Promise<boolean> {
    const name = `${who} dies ${way} frame ${n} ${direction}`
    const roomId = name.replaceAll(' ', '_')
    const { fate, MortalSocket } = mortal(direction, n, way)
    // On a slow machine a socket may not join within such short waits; the client is to try a socket again, not a stream.
    const shop = enter(t, { url, roomId, role: 'device1', socketAttempts: Infinity, ...(who === 'shop' && { WebSocket: MortalSocket }) })
    const phone = enter(t, { url, roomId, role: 'device2', socketAttempts: Infinity, ...(who === 'phone' && { WebSocket: MortalSocket }) })
    const [ofShop, ofPhone] = [listenTo(shop), listenTo(phone)]
    const receipts = []
    for (const [type, payload] of FLOW) receipts.push(await phone.publish(type, payload))
    await until(`${name}: the shop received all events`, () => shop.position?.seq === FLOW.length && shop.status === 'online')
    const [room, log] = [await json(url, `/api/rooms/${roomId}`), await json(url, `/api/rooms/${roomId}/events`)]
    t.strictSame({
      log: log.events.map(({ type, seq }: any) => [type, seq]),
      received: of(ofShop, 'event').map(({ type, seq }) => [type, seq]),
      receipts: receipts.map(({ seq }) => seq),
      shop: shop.state,
      echoed: of(ofPhone, 'event'),
      gaps: [...of(ofShop, 'gap'), ...of(ofPhone, 'gap')]
    }, {
      log: FLOW.map(([type], i) => [type, i + 1]),
      received: FLOW.map(([type], i) => [type, i + 1]),
      receipts: FLOW.map((_, i) => i + 1),
      shop: room.state,
      echoed: [],
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
    // The loop ends when no frame has this number.
    let n = 1
    while (await run(who, direction, n, way)) n++
  }))
  // The phone sends 1 + 7 frames and gets 2 + 7, the shop sends 1 and gets 2 + 7; each dies three ways.
  t.ok(deaths >= 3 * (8 + 9 + 1 + 9), `${deaths} deaths`)
})

t.test('A page being closed sends its events by socket and by request, and the server logs each once and in order', async (t) => {
  const { url } = await listen(t)
  const page = new FakePage()
  const shop = enter(t, { url, role: 'device1' })
  const received = listenTo(shop)
  const phone = enter(t, { ...page, url, role: 'device2' })
  await until('both joined', () => shop.status === 'online' && phone.status === 'online')
  const receipts = FLOW.map(([type, payload]) => phone.publish(type, { ...payload, note: 'ç "quoted" \u2028', nested: { b: 1, a: [2, null] } }))
  page.tell('pagehide')
  await Promise.all(receipts)
  page.tell('pageshow')
  await until('the phone reconnected', () => phone.status === 'online' && phone.position?.seq === FLOW.length)
  await until('the shop received all events', () => shop.position?.seq === FLOW.length)
  const { events } = await json(url, '/api/rooms/r/events')
  t.strictSame(events.map(({ type }: any) => type), FLOW.map(([type]) => type), 'in the order of their publication')
  t.strictSame(of(received, 'event').map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7])
  t.strictSame(phone.state, shop.state)
})

t.test('Without any socket the client works over the stream and requests', async (t) => {
  const { url, app } = await listen(t)
  const noSocket = class extends WebSocket { constructor () { super(url.replace(/:\d+$/, ':1')) } }
  const shop = enter(t, { url, role: 'device1', WebSocket: noSocket })
  const phone = enter(t, { url, role: 'device2', WebSocket: noSocket })
  const received = listenTo(shop)
  for (const [type, payload] of FLOW) await phone.publish(type, payload)
  await until('the shop received all events', () => shop.position?.seq === FLOW.length)
  t.strictSame([shop.transport, phone.transport], ['stream', 'stream'])
  t.strictSame(of(received, 'event').map(({ type }) => type), FLOW.map(([type]) => type))
  await until('the server has weighed the result, which came by a request', () => shop.state?.status === 'succeeded')
  t.match(shop.state, { step: 'CLICKED_PAY', outcome: { transactionId: 'tx_1' } })
  shop.close()
  phone.close()
  await until('both left', () => app.rooms.size === 0)
})

t.test('A stream resumes at the position where it was cut', async (t) => {
  const { url, app } = await listen(t)
  const shop = enter(t, { url, role: 'device1', WebSocket: null as never })
  const received = listenTo(shop)
  const phone = enter(t, { url, role: 'device2' })
  await until('the stream is open', () => shop.status === 'online')
  for (const [type, payload] of FLOW) {
    await phone.publish(type, payload)
    app.server.closeAllConnections()
  }
  await until('the shop received all events', () => shop.position?.seq === FLOW.length)
  t.strictSame(of(received, 'event').map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7])
  t.strictSame(of(received, 'gap'), [])
})

t.test('A server that restarts without its log causes a gap, and unacknowledged events get into the new log', async (t) => {
  const first = await listen(t)
  const { url, port } = first
  const shop = enter(t, { url, role: 'device1' })
  const phone = enter(t, { url, role: 'device2' })
  const received = listenTo(shop)
  await phone.publish('CLICKED_PROCEED')
  await until('the shop received the first event', () => shop.position?.seq === 1)
  await first.app.close()
  await until('both clients are offline', () => shop.status === 'offline' && phone.status === 'offline')
  const receipt = phone.publish('CLICKED_PAY')
  const second = await build(t)
  await second.app.listen({ port, host: '127.0.0.1' })
  t.match(await receipt, { seq: 1, duplicate: false })
  await until('the shop received the next event', () => shop.state?.step === 'CLICKED_PAY' && shop.position?.seq === 1)
  t.equal(of(received, 'gap').length, 1)
  t.strictSame(of(received, 'event').map(({ type }) => type), ['CLICKED_PROCEED', 'CLICKED_PAY'])
  t.equal(new Set(of(received, 'event').map(({ epoch }) => epoch)).size, 2)
})

t.test('A room closed by a backend is closed for its clients and for later ones', async (t) => {
  const { url } = await listen(t)
  const storage = new FakeStorage()
  const open = (deviceId: string): Room => enter(t, { url, role: 'device1', deviceId, storage })
  const early = open('early')
  await until('the early client joined', () => early.status === 'online')
  const closing = new Promise((resolve) => { early.on('closed', resolve) })
  await fetch(`${url.replace('ws', 'http')}/api/rooms/r`, { method: 'DELETE' })
  t.strictSame(await closing, { code: 4505, reason: 'closed' })
  const late = open('late')
  t.strictSame(await new Promise((resolve) => { late.on('closed', resolve) }), { code: 4505, reason: 'ROOM_CLOSED' })
  t.equal(storage.items.size, 0)
})

t.test('An event that the server refuses for good is rejected by the client, and the socket stays open', async (t) => {
  const { url } = await listen(t)
  const phone = enter(t, { url, role: 'device2' })
  await t.rejects(phone.publish('PAYMENT_SUCCESS', { amount: -1 }), { name: 'RoomError', code: 'INVALID_FRAME', retryable: false })
  await phone.publish('CLICKED_PAY', {}, { id: 'a' })
  await t.rejects(phone.publish('CLICKED_PAY', { other: true }, { id: 'a' }), { code: 'ID_CONFLICT' })
  t.match(await phone.publish('CLICKED_PAY'), { seq: 2 })
  await t.rejects(phone.publish('CLICKED_PAY', { cvv: '123' }), { name: 'RoomError', code: 'SENSITIVE_DATA', retryable: false })
  await t.rejects(phone.publish('CLICKED_PAY', {}, { id: '4111 1111 1111 1111' }), { code: 'SENSITIVE_DATA' })
  t.match(await phone.publish('CLICKED_PAY'), { seq: 3 })
  t.equal(phone.status, 'online')
})

t.test('An event with a masked card number arrives with `redacted`', async (t) => {
  const { url } = await listen(t)
  const shop = enter(t, { url, role: 'device1' })
  const arrived = new Promise((resolve) => { shop.on('PAYMENT_ERROR', resolve) })
  await enter(t, { url, role: 'device2' }).publish('PAYMENT_ERROR', { error: 'card 4111111111111111 declined' })
  t.match(await arrived, { payload: { error: 'card 411111******1111 declined' }, redacted: true, source: 'device' })
})

t.test('Devices see each other join and leave', async (t) => {
  const { url } = await listen(t)
  const shop = enter(t, { url, role: 'device1', deviceId: 'shop', presence: true })
  const names = () => shop.members.map(({ deviceId, role }) => `${deviceId} ${role}`)
  await until('the shop joined', () => shop.members.length === 1)
  const phone = enter(t, { url, role: 'device2', deviceId: 'phone' })
  await until('the phone joined', () => shop.members.length === 2)
  t.strictSame(names(), ['shop device1', 'phone device2'])
  phone.close()
  await until('the phone left', () => shop.members.length === 1)
  t.strictSame(names(), ['shop device1'])
})

t.test('The client uses Node\'s own WebSocket where there is one', async (t) => {
  const { url } = await listen(t)
  const room = connect({ url, roomId: 'r', role: 'device1' })
  await until('the client joined', () => room.status === 'online')
  t.equal(room.transport, 'WebSocket' in globalThis ? 'socket' : 'stream')
  room.close()
})

t.test('With tokens required, a client with fresh tokens reconnects after each expiry and misses no event', async (t) => {
  const { app, url } = await listen(t, {
    // A log that holds every event: a client that is away for a moment has missed no more than that.
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
  const received = listenTo(shop)
  for (let n = 0; minted.device1 < 3 || minted.device2 < 3; n++) {
    await phone.publish('CLICKED_PAY', { n })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until('the shop received all events', () => shop.position?.seq === phone.position?.seq)
  t.strictSame(of(received, 'event').map(({ seq }) => seq), Array.from({ length: shop.position!.seq }, (_, i) => i + 1))
  t.strictSame(of(received, 'gap'), [])
  t.strictSame(of(received, 'closed'), [])
})

t.test('A client whose token is invalid or for another room gives up and reports the reason', async (t) => {
  const { app, url } = await listen(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret for tests with 32 bytes and more' } })
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key' }, payload: { roomId: 'other' } })).json().data
  for (const [token, reason] of [[undefined, 'INVALID_TOKEN'], ['none', 'INVALID_TOKEN'], [tokens.device1, 'FORBIDDEN']] as const) {
    const received = listenTo(enter(t, { url, role: 'device1', token }))
    await until('the client gave up', () => of(received, 'closed').length > 0)
    t.match(of(received, 'closed'), [{ reason }])
  }
})

t.test('Over a stream the same tokens end the client, and an event is not left pending', async (t) => {
  const { app, url } = await listen(t, { env: { API_KEYS: 'key', TOKEN_SECRET: SECRET } })
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key' }, payload: { roomId: 'other' } })).json().data
  for (const [token, reason] of [[undefined, 'UNAUTHORIZED'], ['none', 'UNAUTHORIZED'], ['a.b.c', 'INVALID_TOKEN'], [tokens.device2, 'FORBIDDEN']] as const) {
    const phone = enter(t, { url, role: 'device2', token, WebSocket: null as never })
    const received = listenTo(phone)
    const refusal = t.rejects(phone.publish('CLICKED_PAY'), { code: 'CLOSED' })
    await until('the client gave up', () => of(received, 'closed').length > 0)
    t.match(of(received, 'closed'), [{ reason }])
    t.match(of(received, 'error'), [{ code: reason }])
    await refusal
  }
})

t.test('A restart of the only node does not end a client with a token: it waits until the backend has created the room again', async (t) => {
  for (const WebSocketOrNone of [WebSocket, null as never]) {
    const env = { API_KEYS: 'key', TOKEN_SECRET: SECRET }
    const create = async (app: FastifyInstance) => (await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key' }, payload: { roomId: 'r' } })).json().data
    const first = await build(t, { env })
    const { tokens } = await create(first.app)
    const port = await freePort()
    await first.app.listen({ port, host: '127.0.0.1' })
    const shop = enter(t, { url: `ws://127.0.0.1:${port}`, role: 'device1', token: tokens.device1, WebSocket: WebSocketOrNone })
    const received = listenTo(shop)
    await until('the shop joined', () => shop.status === 'online')
    await first.app.close()
    const { app } = await build(t, { env })
    await app.listen({ port, host: '127.0.0.1' })
    await until('the room is missing', () => of(received, 'error').some(({ code }) => code === 'ROOM_NOT_FOUND'))
    await create(app)
    await until('the shop is back', () => shop.status === 'online')
    t.strictSame(of(received, 'closed'), [])
    shop.close()
  }
})
