// The client's storage: unacknowledged events and the device's name survive a reload, as far as the storage lets them.
import t from 'tap'
import { MAX_BYTES, MAX_WAITING } from '../../src/client/pending-events.js'
import { FakePage, FakeServer, FakeStorage, KEY, listenTo, of, types, unreachable } from './fake-server.js'

t.test('Unacknowledged events survive a reload with their ids, in order, and are logged once', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const page = new FakePage()
  unreachable(server)
  const before = server.connect({ storage, ...page })
  await server.clock.advance(10)
  server.publish('ENTERED_SUMMARY')
  // The event gets into the log, but the page is reloaded before the acknowledgement.
  server.intercept = (socket, { type, payload, id }) => {
    if (type === 'CLICKED_PROCEED') server.publish(type, payload, { id, origin: socket })
    return true
  }
  void before.publish('CLICKED_PROCEED')
  void before.publish('CLICKED_PAY')
  await server.clock.advance(10)
  page.tell('pagehide')
  await server.clock.advance(10)

  server.intercept = () => false
  const after = server.connect({ storage })
  const received = listenTo(after)
  await server.clock.advance(10)
  t.strictSame(server.sent('JOIN_ROOM').at(-1)!.payload.recover, { epoch: 'e1', seq: 1 }, 'the new client resumes at the old position')
  t.strictSame(types(server), ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY'])
  t.strictSame(of(received, 'event'), [])
  t.equal(after.state?.step, 'CLICKED_PAY')
  t.match(JSON.parse(storage.getItem(KEY)!), { deviceId: 'd1', position: { epoch: 'e1', seq: 3 }, outgoing: [] })
})

t.test('An event from before a reload that is refused for good is emitted as an error', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  storage.setItem(KEY, JSON.stringify({ deviceId: 'd1', outgoing: [{ id: 'a', text: '{"type":"CLICKED_PAY","payload":{"roomId":"room 1"},"id":"a"}' }] }))
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'FORBIDDEN', false, id)
  const received = listenTo(server.connect({ storage }))
  await server.clock.advance(10)
  t.match(of(received, 'error'), [{ code: 'FORBIDDEN' }])
  t.match(JSON.parse(storage.getItem(KEY)!), { outgoing: [] })
})

t.test('A device without a name gets one that survives a reload; each room and role has its own', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const nameOf = (options: object) => {
    const page = new FakePage()
    const room = server.connect({ storage, deviceId: undefined, ...page, ...options })
    page.tell('pagehide')
    return room.deviceId
  }
  const [first, reloaded, role, room, given] = [nameOf({}), nameOf({}), nameOf({ role: 'device2' }), nameOf({ roomId: 'room 2' }), nameOf({ deviceId: 'me' })]
  t.match(first, /^[0-9a-f-]{36}$/)
  t.equal(reloaded, first)
  t.equal(new Set([first, role, room, given]).size, 4)
  t.equal(given, 'me')
})

t.test('The client works without a storage that is broken, full, or holds other data', async (t) => {
  const broken = { getItem: () => { throw new Error('blocked') }, setItem: () => { throw new Error('full') }, removeItem: () => { throw new Error('blocked') } }
  const holding = (text: string) => Object.assign(new FakeStorage(), { items: new Map([[KEY, text]]) })
  for (const storage of [broken, null, holding('not JSON'), holding('null'), holding('7'), holding('[]'),
    holding('{"deviceId":7,"position":{"epoch":1,"seq":"x"},"outgoing":[null,7,{"id":1},{"id":"a","text":7}]}'), holding('{"position":{"epoch":"e1"},"outgoing":{}}')]) {
    const server = new FakeServer()
    const room = server.connect({ storage })
    await server.clock.advance(10)
    t.strictSame(server.sent('JOIN_ROOM')[0]!.payload.recover, { seq: 0 })
    const receipt = room.publish('CLICKED_PAY')
    await server.clock.advance(10)
    t.match(await receipt, { seq: 1 })
    t.equal(server.log.length, 1)
    server.socket.end(4505)
  }
})

t.test('The number and size of waiting events are limited; further events are rejected at once', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const waiting = Array.from({ length: MAX_WAITING }, () => room.publish('CLICKED_PAY'))
  await t.rejects(room.publish('CLICKED_PAY'), { code: 'OUTBOX_FULL', retryable: true })
  await server.clock.advance(1000)
  await Promise.all(waiting)
  t.equal(server.log.length, MAX_WAITING)
  // The limit counts bytes, and each of these characters has two.
  await t.rejects(room.publish('CLICKED_PAY', { note: 'é'.repeat(MAX_BYTES / 2) }), { code: 'TOO_LARGE', retryable: false })
  const fits = room.publish('CLICKED_PAY', { note: 'x'.repeat(MAX_BYTES - 200) })
  await server.clock.advance(10)
  t.match(await fits, { seq: MAX_WAITING + 1 })
})

t.test('A closed room keeps nothing in the storage, even if acknowledgements still arrive', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const page = new FakePage()
  const room = server.connect({ storage, ...page })
  await server.clock.advance(10)
  server.sockets.mute = true
  void room.publish('CLICKED_PAY')
  page.see('hidden')
  server.socket.receive('ROOM_CLOSED', { roomId: 'room 1', reason: 'closed' })
  t.equal(storage.items.size, 0)
  await server.clock.advance(10)
  t.equal(storage.items.size, 0)
})

t.test('Outside of a page nothing is stored: two clients of one process do not share a name', async (t) => {
  // Node.js 25 has a sessionStorage of its own.
  const storage = new FakeStorage()
  t.intercept(globalThis, 'sessionStorage' as never, { value: storage })
  const server = new FakeServer()
  const options = { storage: undefined, deviceId: undefined }
  const [one, two] = [server.connect(options), server.connect(options)]
  t.not(one.deviceId, two.deviceId)
  t.equal(storage.items.size, 0)
  t.intercept(globalThis, 'document' as never, { value: new FakePage().document })
  t.intercept(globalThis, 'window' as never, { value: new FakePage().window })
  server.connect(options)
  t.equal(storage.items.size, 1, 'a page has a storage')
})
