// Delivery of a device's own events into the log: once, in order, across lost links and refusals.
import t from 'tap'
import { newId } from '../../src/client/environment.js'
import { FakePage, FakeServer, FakeStorage, listenTo, of, types } from './fake-server.js'

t.test('An event is sent with an id, and its promise resolves with its position in the log', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.publish('ENTERED_SUMMARY')
  const receipt = room.publish('PAYMENT_SUCCESS', { amount: 99.9, note: 'mine', roomId: 'another', deviceId: 'other' }, { id: 'pay 1' })
  await server.clock.advance(10)
  t.strictSame(await receipt, { epoch: 'e1', seq: 2, duplicate: false })
  t.strictSame(server.sent('PAYMENT_SUCCESS'), [{ type: 'PAYMENT_SUCCESS', payload: { amount: 99.9, note: 'mine', roomId: 'room 1', deviceId: 'd1' }, id: 'pay 1' }])
})

t.test('Each event without an id gets a unique one', async (t) => {
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

t.test('On an insecure origin the id of an event has the same amount of randomness', async (t) => {
  const getRandomValues = (bytes: Uint8Array) => bytes.map((_, i) => i * 16)
  t.equal(newId({ getRandomValues }), '00102030405060708090a0b0c0d0e0f0')
  t.equal(newId({ getRandomValues, randomUUID: () => 'uuid' }), 'uuid')
  t.equal(new Set(Array.from({ length: 100 }, () => newId())).size, 100)
})

t.test('Events published before the join wait, and then go in order, one at a time', async (t) => {
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

t.test('An event with card data is refused for good: its promise rejects, the storage drops it, and the next event goes', async (t) => {
  // The second case is an id that holds a card number: the server does not repeat the id, and tells the number of the message.
  for (const isNamed of [true, false]) {
    const server = new FakeServer()
    const storage = new FakeStorage()
    const room = server.connect({ storage })
    await server.clock.advance(10)
    server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'SENSITIVE_DATA', false, isNamed ? id : socket.sent.findIndex((frame) => frame.id === id) + 1)
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

t.test('An unacknowledged event is sent again with its id, and is in the log once', async (t) => {
  for (const isLogged of [true, false]) {
    const server = new FakeServer()
    const room = server.connect()
    await server.clock.advance(10)
    // The socket closes on the event: after the event got into the log, or before.
    server.intercept = (socket, { type, payload, id }) => {
      if (type !== 'CLICKED_PAY') return false
      if (isLogged) server.publish(type, payload, { id, origin: socket })
      server.intercept = () => false
      socket.end(1006)
      return true
    }
    const received = listenTo(room)
    const receipt = room.publish('CLICKED_PAY')
    const next = room.publish('PAYMENT_SUCCESS')
    await server.clock.advance(5000)
    t.match(await receipt, { seq: 1 })
    t.match(await next, { seq: 2 })
    t.strictSame(types(server), ['CLICKED_PAY', 'PAYMENT_SUCCESS'], `logged: ${isLogged}`)
    t.strictSame(of(received, 'event'), [], 'the client does not receive its own events')
    t.match(room.state, { step: 'CLICKED_PAY', status: 'succeeded' })
  }
})

t.test('A missing acknowledgement means a dead link', async (t) => {
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

t.test('Publishing the same id again is the same event, with the same promise', async (t) => {
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

t.test('An event that is refused for now is sent again, and no later event overtakes it', async (t) => {
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
  t.equal(server.sent('CLICKED_PAY').length, 1, 'the client waits before it sends the event again')
  await server.clock.advance(20_000)
  t.match([await receipt, await next], [{ seq: 1 }, { seq: 2 }])
  t.equal(server.sent('CLICKED_PAY').length, 4)
  t.equal(server.sockets.all.length, 1, 'the client stays on the same link')
})

t.test('A link lost while an event waits for its next attempt changes nothing', async (t) => {
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

t.test('A refusal of one event does not affect another event on its way', async (t) => {
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
  t.equal(room.status, 'offline', 'the other event\'s own deadline still counts')
})

t.test('A logged event resets the waits between attempts', async (t) => {
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

t.test('An event that no retry can help is given up, and the next event goes', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.intercept = (socket, { type, id }) => type === 'CLICKED_PAY' && server.refuse(socket, 'SENSITIVE_DATA', false, id)
  const bad = room.publish('CLICKED_PAY')
  const good = room.publish('PAYMENT_SUCCESS')
  const refusal = t.rejects(bad, { name: 'RoomError', code: 'SENSITIVE_DATA', retryable: false })
  await server.clock.advance(10)
  await refusal
  t.match(await good, { seq: 1 })
  t.strictSame(of(received, 'error'), [], 'the rejected promise is the only report of the error')
  server.refuse(server.socket, 'INVALID_FRAME', false, 'of no event')
  server.refuse(server.socket, 'INTERNAL', true)
  t.match(of(received, 'error'), [{ code: 'INTERNAL' }], 'an error without an event is emitted, and ends nothing')
  t.equal(room.status, 'online')
})

t.test('An event that the server closed the socket for is not sent again', async (t) => {
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

t.test('A rejected promise without a handler does not crash the process', async (t) => {
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

t.test('An error belongs to the message that it names, and to no other', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect({ ...page, pingInterval: 1000 })
  const received = listenTo(room)
  // A refused ping has no id: neither the join in progress nor the event in flight is its matter.
  const refusePing = (socket: typeof server.socket) => server.refuse(socket, 'INVALID_FRAME', false)
  server.intercept = (socket, { type }) => {
    if (type === 'JOIN_ROOM') refusePing(socket)
    return false
  }
  await server.clock.advance(10)
  t.equal(room.status, 'online')
  server.intercept = (socket, { type }) => type === 'CLICKED_PAY' && refusePing(socket)
  const first = room.publish('CLICKED_PAY', {}, { id: 'first' })
  const second = room.publish('PAYMENT_SUCCESS', {}, { id: 'second' })
  server.http.answer = 'unreachable'
  page.see('hidden')
  await server.clock.advance(2500)
  t.match(of(received, 'error'), [{ code: 'INVALID_FRAME' }, { code: 'INVALID_FRAME' }])
  t.match(await second, { seq: 1 })
  // The join is message 1, the events are 2 and 3, and two pings followed.
  server.refuse(server.socket, 'SENSITIVE_DATA', false, 99)
  server.refuse(server.socket, 'SENSITIVE_DATA', false, 3)
  t.equal(of(received, 'error').length, 4, 'errors about no pending event are emitted')
  server.refuse(server.socket, 'SENSITIVE_DATA', false, 2)
  await t.rejects(first, { code: 'SENSITIVE_DATA' })
  t.equal(of(received, 'error').length, 4)
})

t.test('The number of a message counts on its own socket', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.intercept = (_socket, { type }) => type === 'CLICKED_PAY'
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  server.socket.end(1006)
  server.intercept = () => false
  await server.clock.advance(1000)
  server.refuse(server.socket, 'SENSITIVE_DATA', false, 2)
  await server.clock.advance(1000)
  t.match(await receipt, { seq: 1 })
})

t.test('An event that cannot be sent rejects its promise, and nothing is thrown', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  for (const [payload, options] of [
    [cyclic, {}], [{ amount: 1n }, {}], [{ toJSON () { throw new Error('no') } }, {}],
    [{}, { id: '' }], [{}, { id: 'x'.repeat(65) }], [{}, { id: 'ação' }], [{}, { id: 'a\nb' }]
  ] as Array<[any, any]>) await t.rejects(room.publish('CLICKED_PAY', payload, options), { name: 'RoomError', code: 'INVALID_FRAME', retryable: false })
  const broken = server.connect({ newId: () => { throw new Error('no randomness') }, WebSocket: null as never })
  await t.rejects(broken.publish('CLICKED_PAY'), { code: 'INVALID_FRAME', message: 'Error: no randomness' })
  t.match(await Promise.all([room.publish('CLICKED_PAY', {}, { id: ' ~'.repeat(32) }), server.clock.advance(10)]), [{ seq: 1 }])
  t.equal(room.status, 'online')
})
