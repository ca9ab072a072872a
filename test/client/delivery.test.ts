// How a device's own events get into the log: once, in order, across lost links, reloads and closed pages.
import t from 'tap'
import { newId } from '../../src/client/environment.js'
import { MAX_BYTES, MAX_WAITING } from '../../src/client/outbox.js'
import { FakePage, FakeServer, FakeStorage, listenTo, of } from './fake-server.js'

const KEY = 'ws-payment ws://fake/base/ room 1 d1'
const types = (server: FakeServer) => server.log.map(({ type }) => type)
const unreachable = (server: FakeServer) => { server.http.answer = 'unreachable' }

t.test('an event is told with an id, and its promise says where it is in the log', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.publish('ENTERED_SUMMARY')
  const receipt = room.publish('PAYMENT_SUCCESS', { amount: 99.9, note: 'mine', roomId: 'another', deviceId: 'other' }, { id: 'pay 1' })
  await server.clock.advance(10)
  t.strictSame(await receipt, { epoch: 'e1', seq: 2, duplicate: false })
  t.strictSame(server.sent('PAYMENT_SUCCESS'), [{ type: 'PAYMENT_SUCCESS', payload: { amount: 99.9, note: 'mine', roomId: 'room 1', deviceId: 'd1' }, id: 'pay 1' }])
})

t.test('events without an id get one, each its own', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  void room.publish('CLICKED_PAY')
  void room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  const ids = server.sent('CLICKED_PAY').map(({ id }) => id)
  t.match(ids, [/^[0-9a-f-]{36}$/, /^[0-9a-f-]{36}$/])
  t.not(ids[0], ids[1])
})

t.test('on an insecure origin an id is made of as much randomness', async (t) => {
  const getRandomValues = (bytes: Uint8Array) => bytes.map((_, i) => i * 16)
  t.equal(newId({ getRandomValues }), '00102030405060708090a0b0c0d0e0f0')
  t.equal(newId({ getRandomValues, randomUUID: () => 'uuid' }), 'uuid')
  t.equal(new Set(Array.from({ length: 100 }, () => newId())).size, 100)
})

t.test('what is told before the room is joined waits, and then goes in order, one at a time', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const order: number[] = []
  const all = (['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY'] as const).map((type, i) => room.publish(type).then(() => order.push(i)))
  await server.clock.advance(2)
  t.strictSame(server.log, [])
  t.equal(server.sent('ENTERED_SUMMARY').length, 1)
  t.equal(server.sent('CLICKED_PROCEED').length, 0)
  await server.clock.advance(10)
  await Promise.all(all)
  t.strictSame(order, [0, 1, 2])
  t.strictSame(types(server), ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY'])
})

t.test('card data is refused for good: the promise rejects, nothing of it stays in the storage, the next event goes', async (t) => {
  // The second way is an id that holds a card number: the server does not repeat it, so the refusal has no name.
  for (const isNamed of [true, false]) {
    const server = new FakeServer()
    const storage = new FakeStorage()
    const room = server.connect({ storage })
    await server.clock.advance(10)
    server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'SENSITIVE_DATA', false, isNamed ? id : undefined)
    const refused = room.publish('CLICKED_PAY', { note: '4111 1111 1111 1111' }, { id: 'mine' })
    const next = room.publish('PAYMENT_SUCCESS')
    await server.clock.advance(60_000)
    await t.rejects(refused, { name: 'RoomError', code: 'SENSITIVE_DATA', retryable: false })
    t.match(await next, { seq: 1 })
    t.equal(server.sent('CLICKED_PAY').length, 1)
    t.equal(room.status, 'online')
    t.notMatch(JSON.stringify([...storage.items]), '4111')
  }
})

t.test('what was not acknowledged is sent again with its id, and is in the log once', async (t) => {
  for (const isLogged of [true, false]) {
    const server = new FakeServer()
    const room = server.connect()
    await server.clock.advance(10)
    // The socket dies on the event: after it got into the log, or before.
    server.intercept = (socket, { type, payload, id }) => {
      if (type !== 'CLICKED_PAY') return false
      if (isLogged) server.publish(type, payload, { id, origin: socket })
      server.intercept = () => false
      socket.end(1006)
      return true
    }
    const heard = listenTo(room)
    const receipt = room.publish('CLICKED_PAY')
    const next = room.publish('PAYMENT_SUCCESS')
    await server.clock.advance(5000)
    t.match(await receipt, { seq: 1 })
    t.match(await next, { seq: 2 })
    t.strictSame(types(server), ['CLICKED_PAY', 'PAYMENT_SUCCESS'], `logged: ${isLogged}`)
    t.strictSame(of(heard, 'event'), [], 'it is not told of its own events')
    t.match(room.state, { step: 'CLICKED_PAY', status: 'succeeded' })
  }
})

t.test('an acknowledgement that never comes means a dead link', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.intercept = (_socket, { type }) => type === 'CLICKED_PAY'
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10_001)
  t.equal(room.status, 'offline')
  server.intercept = () => false
  await server.clock.advance(2000)
  t.match(await receipt, { seq: 1 })
})

t.test('the same id again is the same event, and the same promise', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const [one, two] = [room.publish('CLICKED_PAY', {}, { id: 'a' }), room.publish('CLICKED_PAY', {}, { id: 'a' })]
  t.equal(one, two)
  await server.clock.advance(10)
  t.strictSame(await two, { epoch: 'e1', seq: 1, duplicate: false })
  const again = room.publish('CLICKED_PAY', {}, { id: 'a' })
  await server.clock.advance(10)
  t.match(await again, { seq: 1, duplicate: true })
  t.equal(server.log.length, 1)
})

t.test('an event that is refused for now is tried again, and nothing passes it by', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  let refusals = 3
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && refusals-- > 0 && server.refuse(socket, 'RATE_LIMITED', true, id)
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  const next = room.publish('PAYMENT_SUCCESS')
  await server.clock.advance(1000)
  t.strictSame(server.log, [])
  t.equal(server.sent('CLICKED_PAY').length, 1, 'it waits before it asks again')
  await server.clock.advance(20_000)
  t.match([await receipt, await next], [{ seq: 1 }, { seq: 2 }])
  t.equal(server.sent('CLICKED_PAY').length, 4)
  t.equal(server.sockets.all.length, 1, 'on the same link')
})

t.test('a link lost while an event waits to be tried again changes nothing', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'UNAVAILABLE', true, id)
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  server.socket.end(1006)
  server.intercept = () => false
  await server.clock.advance(2000)
  t.match(await receipt, { seq: 1 })
  server.refuse(server.socket, 'UNAVAILABLE', true, 'no such event')
  await server.clock.advance(2000)
  t.equal(server.log.length, 1)
})

t.test('a refusal of one event does not touch another that is on its way', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.intercept = (_socket, { type }) => type === 'CLICKED_PAY'
  void room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  server.refuse(server.socket, 'RATE_LIMITED', true, 'another')
  await server.clock.advance(9000)
  t.equal(server.sent('CLICKED_PAY').length, 1)
  t.equal(room.status, 'online')
  await server.clock.advance(1000)
  t.equal(room.status, 'offline', 'its own time is still kept')
})

t.test('an event that got in makes the waits begin anew', async (t) => {
  const server = new FakeServer()
  const room = server.connect({ random: () => 0.999999 })
  await server.clock.advance(10)
  let refusals = 0
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && refusals-- > 0 && server.refuse(socket, 'RATE_LIMITED', true, id)
  for (const wait of [2000 + 4000 + 8000, 2000]) {
    refusals = wait === 2000 ? 1 : 3
    const since = server.clock.now
    const receipt = room.publish('CLICKED_PAY')
    const { length } = server.log
    while (server.log.length === length) await server.clock.advance(1)
    t.ok(Math.abs(server.clock.now - since - wait) < 20, `${server.clock.now - since} ms`)
    await server.clock.advance(5)
    await receipt
  }
})

t.test('an event that no retry can help is given up, and the next one goes', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const heard = listenTo(room)
  await server.clock.advance(10)
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'SENSITIVE_DATA', false, id)
  const bad = room.publish('CLICKED_PAY')
  const good = room.publish('PAYMENT_SUCCESS')
  const refusal = t.rejects(bad, { name: 'RoomError', code: 'SENSITIVE_DATA', retryable: false })
  await server.clock.advance(10)
  await refusal
  t.match(await good, { seq: 1 })
  t.strictSame(of(heard, 'error'), [], 'the promise said it')
  server.refuse(server.socket, 'INVALID_FRAME', false, 'of nobody')
  server.refuse(server.socket, 'INTERNAL', true)
  t.match(of(heard, 'error'), [{ code: 'INTERNAL' }], 'what belongs to no event is told, and ends nothing')
  t.equal(room.status, 'online')
})

t.test('what was not acknowledged survives a reload with its id, in order, and once', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const page = new FakePage()
  unreachable(server)
  const before = server.connect({ storage, ...page })
  await server.clock.advance(10)
  server.publish('ENTERED_SUMMARY')
  // It gets into the log, but the page is reloaded before it knows.
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
  const heard = listenTo(after)
  await server.clock.advance(10)
  t.strictSame(server.sent('JOIN_ROOM').at(-1)!.payload.recover, { epoch: 'e1', seq: 1 }, 'it goes on where it was')
  t.strictSame(types(server), ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY'])
  t.strictSame(of(heard, 'event'), [])
  t.equal(after.state?.step, 'CLICKED_PAY')
  t.match(JSON.parse(storage.getItem(KEY)!), { deviceId: 'd1', position: { epoch: 'e1', seq: 3 }, outgoing: [] })
})

t.test('an event from before a reload that is refused for good is told as an error', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  storage.setItem(KEY, JSON.stringify({ deviceId: 'd1', outgoing: [{ id: 'a', text: '{"type":"CLICKED_PAY","payload":{"roomId":"room 1"},"id":"a"}' }] }))
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'FORBIDDEN', false, id)
  const heard = listenTo(server.connect({ storage }))
  await server.clock.advance(10)
  t.match(of(heard, 'error'), [{ code: 'FORBIDDEN' }])
  t.match(JSON.parse(storage.getItem(KEY)!), { outgoing: [] })
})

t.test('a device without a name gets one, which a reload keeps; each room and role has its own', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const nameOf = (options: object) => {
    const room = server.connect({ storage, deviceId: undefined, ...options })
    room.close()
    return room.deviceId
  }
  const [first, reloaded, role, room, given] = [nameOf({}), nameOf({}), nameOf({ role: 'device2' }), nameOf({ roomId: 'room 2' }), nameOf({ deviceId: 'me' })]
  t.match(first, /^[0-9a-f-]{36}$/)
  t.equal(reloaded, first)
  t.equal(new Set([first, role, room, given]).size, 4)
  t.equal(given, 'me')
})

t.test('a storage that is broken, full, or holds something else is done without', async (t) => {
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

t.test('there is room for so many events, and for events of such a size; the rest is refused at once', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const kept = Array.from({ length: MAX_WAITING }, () => room.publish('CLICKED_PAY'))
  await t.rejects(room.publish('CLICKED_PAY'), { code: 'OUTBOX_FULL', retryable: true })
  await server.clock.advance(1000)
  await Promise.all(kept)
  t.equal(server.log.length, MAX_WAITING)
  // Two bytes a character: it is bytes that count.
  await t.rejects(room.publish('CLICKED_PAY', { note: 'é'.repeat(MAX_BYTES / 2) }), { code: 'TOO_LARGE', retryable: false })
  const fits = room.publish('CLICKED_PAY', { note: 'x'.repeat(MAX_BYTES - 200) })
  await server.clock.advance(10)
  t.match(await fits, { seq: MAX_WAITING + 1 })
})

t.test('on a page that is being hidden, what is not acknowledged goes both ways, in the same words', async (t) => {
  for (const how of ['hidden', 'pagehide'] as const) {
    const server = new FakeServer()
    const page = new FakePage()
    const room = server.connect({ ...page, token: 'secret' })
    await server.clock.advance(10)
    const socket = server.socket
    const all = [room.publish('CLICKED_PROCEED', { n: 1 }), room.publish('CLICKED_PAY', { n: 2 })]
    if (how === 'hidden') page.see('hidden')
    else page.tell('pagehide')
    const words = socket.sent.filter(({ id }) => id !== undefined).map((frame) => JSON.stringify(frame))
    t.equal(words.length, 2, 'both over the socket, though the first was not answered')
    t.strictSame(server.http.requests, words.map((body) => ({
      url: 'http://fake/base/api/rooms/room%201/events',
      method: 'POST',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      body,
      keepalive: true
    })))
    await server.clock.advance(10)
    t.match(await Promise.all(all), [{ seq: 1 }, { seq: 2 }])
    t.strictSame(types(server), ['CLICKED_PROCEED', 'CLICKED_PAY'], `${how}: nothing twice`)
  }
})

t.test('with nothing to tell, a hidden page tells nothing; what it tells while hidden goes both ways at once', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  page.see('hidden')
  t.strictSame(server.http.requests, [])
  const heard = listenTo(room)
  void room.publish('CLICKED_PAY')
  t.equal(server.http.requests.length, 1)
  page.tell('pagehide')
  t.equal(server.http.requests.length, 1, 'and is not sent twice')
  await server.clock.advance(10)
  t.strictSame(types(server), ['CLICKED_PAY'])
  t.strictSame(of(heard, 'event'), [])
})

t.test('an event that got in by a request, while there was no socket, comes back as our own', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  const heard = listenTo(room)
  await server.clock.advance(10)
  server.sockets.accept = 'refuse'
  server.socket.end(1006)
  server.publish('ENTERED_SUMMARY')
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(10)
  t.strictSame(await receipt, { epoch: 'e1', seq: 2, duplicate: false })
  t.equal(room.status, 'offline')
  server.sockets.accept = 'open'
  await server.clock.advance(5000)
  t.equal(room.status, 'online')
  t.strictSame(of(heard, 'event').map(({ type, seq }) => [type, seq]), [['ENTERED_SUMMARY', 1]])
  t.strictSame(room.position, { epoch: 'e1', seq: 2 })
  t.equal(room.state?.step, 'CLICKED_PAY')
})

t.test('a request that is refused as the page is hidden decides nothing: the socket does', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  server.http.answer = { status: 403, code: 'FORBIDDEN' }
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
})

t.test('a reply to a join that an own event overtook does not turn the state back', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  server.sockets.accept = 'refuse'
  server.socket.end(1006)
  // The join is read before the event is in the log, and answered after its receipt.
  const { seq, state } = server
  server.sockets.accept = 'open'
  server.intercept = (socket, { type }) => {
    if (type !== 'JOIN_ROOM') return false
    server.clock.setTimeout(() => socket.receive('ROOM_JOINED', { epoch: 'e1', seq, state, recovered: true, replayed: 0 }), 100)
    return true
  }
  await server.clock.advance(1300)
  void room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(1000)
  t.equal(room.status, 'online')
  t.equal(room.state?.step, 'CLICKED_PAY')
})

t.test('before the first join an event may get in by a request; the join tells what it did', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  server.sockets.accept = 'refuse'
  // After a reload the position is known, but not the state.
  const storage = new FakeStorage()
  storage.setItem(KEY, '{"deviceId":"d1","position":{"epoch":"e1","seq":0},"outgoing":[]}')
  const room = server.connect({ ...page, storage })
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(5)
  t.match(await receipt, { seq: 1 })
  t.equal(room.state, undefined)
  server.sockets.accept = 'open'
  await server.clock.advance(5000)
  t.equal(room.state?.step, 'CLICKED_PAY')
  t.strictSame(room.position, { epoch: 'e1', seq: 1 })
})

t.test('leaving tells a last time what was not acknowledged, says that it is not known, and leaves it for the next client', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const room = server.connect({ storage })
  await server.clock.advance(10)
  server.sockets.mute = true
  unreachable(server)
  const receipt = room.publish('CLICKED_PAY')
  const refusal = t.rejects(receipt, { code: 'CLOSED', retryable: false })
  room.close()
  await refusal
  t.equal(server.http.requests.length, 1)
  await t.rejects(room.publish('CLICKED_PAY'), { code: 'CLOSED' }, 'nothing more is taken')
  await server.clock.advance(10)
  server.sockets.mute = false
  server.connect({ storage })
  await server.clock.advance(10)
  t.strictSame(types(server), ['CLICKED_PAY'])
})

t.test('a room that is over keeps nothing, whatever still comes back', async (t) => {
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

t.test('an event that the socket was closed for is not tried a second time', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const room = server.connect({ storage })
  await server.clock.advance(10)
  server.intercept = (socket, { type }) => {
    if (type !== 'CLICKED_PAY') return false
    socket.end(1009)
    return true
  }
  const refusal = t.rejects(room.publish('CLICKED_PAY'), { code: 'CLOSED' })
  void room.publish('PAYMENT_SUCCESS')
  await server.clock.advance(10)
  await refusal
  server.connect({ storage })
  await server.clock.advance(10)
  t.strictSame(types(server), ['PAYMENT_SUCCESS'])
})

t.test('who does not look at a promise is not told by a crash', async (t) => {
  const server = new FakeServer()
  const unhandled: unknown[] = []
  const note = (error: unknown) => { unhandled.push(error) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const room = server.connect()
  void room.publish('CLICKED_PAY')
  room.close()
  void room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.strictSame(unhandled, [])
})
