// Order of the log: publish order is log order, however the page goes and however long each request takes.
import t from 'tap'
import { seeded } from '../seeded.js'
import { FakePage, FakeServer, FakeStorage, KEY, listenTo, of, types } from './fake-server.js'

const STEPS = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY', 'PAYMENT_SUCCESS'] as const
const noSocket = { WebSocket: null as never }

/** Ways in which a page goes. */
const WAYS = {
  hidden: (page: FakePage) => page.see('hidden'),
  pagehide: (page: FakePage) => page.tell('pagehide'),
  both: (page: FakePage) => {
    page.see('hidden')
    page.tell('pagehide')
  }
}

for (const transport of ['joined socket', 'no socket yet', 'dead socket', 'stream'] as const) {
  t.test(`Events published before the page goes are logged in their order: ${transport}`, async (t) => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = seeded(seed)
      const server = new FakeServer()
      const page = new FakePage()
      server.http.latency = () => Math.floor(random() * 120)
      if (transport === 'no socket yet') server.sockets.accept = 'hang'
      const room = server.connect({ ...page, ...(transport === 'stream' && noSocket) })
      if (transport !== 'no socket yet') await server.clock.advance(200)
      if (transport === 'dead socket') server.sockets.mute = true
      const leave = Object.values(WAYS)[seed % 3]!
      // Some events before the page is hidden, some while it is, some when it goes.
      const hiddenAfter = Math.floor(random() * STEPS.length)
      for (const [n, type] of STEPS.entries()) {
        if (n === hiddenAfter) page.see('hidden')
        void room.publish(type)
        if (random() < 0.5) await server.clock.advance(Math.floor(random() * 50))
      }
      if (seed % 5 === 0) room.close()
      else leave(page)
      await server.clock.advance(2000)
      t.strictSame(types(server), STEPS, `seed ${seed}`)
      t.equal(server.payment.state.step, 'CLICKED_PAY')
    }
  })
}

t.test('A page that goes sends its whole outbox in one request', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'hang'
  const page = new FakePage()
  const room = server.connect({ ...page, token: 'secret' })
  const receipts = STEPS.map((type) => room.publish(type))
  page.tell('pagehide')
  await server.clock.advance(10)
  t.match(server.http.requests, [{ url: 'http://fake/base/api/rooms/room%201/events/batch', method: 'POST', keepalive: true, headers: { authorization: 'Bearer secret' } }])
  t.equal(server.http.requests.length, 1)
  t.strictSame(JSON.parse(server.http.requests[0]!.body!).events.map(({ type, payload }: any) => [type, payload]), STEPS.map((type) => [type, { roomId: 'room 1', deviceId: 'd1' }]))
  t.match(await Promise.all(receipts), STEPS.map((_, n) => ({ epoch: 'e1', seq: n + 1, duplicate: false })))
})

t.test('What does not fit into 64 KiB, which a browser keeps alive, is sent by the next page, in order', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'hang'
  const page = new FakePage()
  const storage = new FakeStorage()
  const room = server.connect({ ...page, storage })
  const big = { note: 'ç'.repeat(7000) }
  for (const type of STEPS) void room.publish(type, big)
  page.see('hidden')
  void room.publish('CLICKED_PAY', { last: true })
  page.tell('pagehide')
  const sizes = () => server.http.requests.map(({ body }) => Buffer.byteLength(body!))
  t.ok(sizes().reduce((a, b) => a + b) <= 65_536, `${sizes()}`)
  await server.clock.advance(10)
  t.strictSame(types(server), STEPS.slice(0, 4))
  t.equal(JSON.parse(storage.getItem(KEY)!).outgoing.length, 3)
  server.sockets.accept = 'open'
  server.connect({ storage })
  await server.clock.advance(100)
  t.strictSame(types(server), [...STEPS, 'CLICKED_PAY'])
  t.strictSame(JSON.parse(storage.getItem(KEY)!).outgoing, [])
})

t.test('An event of the batch that the server rejects stays for the next link, which refuses it', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'hang'
  const page = new FakePage()
  const storage = new FakeStorage()
  const room = server.connect({ ...page, storage })
  server.rejects = (type) => type === 'DATA_FILLED'
  for (const type of STEPS) void room.publish(type)
  page.tell('pagehide')
  await server.clock.advance(10)
  t.strictSame(types(server), STEPS.filter((type) => type !== 'DATA_FILLED'))
  server.sockets.accept = 'open'
  server.intercept = (socket, { type, id }) => type === 'DATA_FILLED' && server.refuse(socket, 'SENSITIVE_DATA', false, id)
  const next = server.connect({ storage })
  const received = listenTo(next)
  await server.clock.advance(100)
  t.match(of(received, 'error'), [{ code: 'SENSITIVE_DATA' }])
  t.strictSame(JSON.parse(storage.getItem(KEY)!).outgoing, [])
})

t.test('An event that waits for its next attempt goes before the later ones when the page is hidden', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  server.http.answer = 'unreachable'
  let refusals = 1
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PROCEED' && refusals-- > 0 && server.refuse(socket, 'RATE_LIMITED', true, id)
  void room.publish('CLICKED_PROCEED')
  void room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  page.see('hidden')
  await server.clock.advance(10)
  t.strictSame(types(server), ['CLICKED_PROCEED', 'CLICKED_PAY'])
})
