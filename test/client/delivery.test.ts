// How a device's own events get into the log: once, in order, across lost links and refusals.
import t from 'tap'
import { newId } from '../../src/client/environment.js'
import { FakeServer, FakeStorage, listenTo, of, types } from './fake-server.js'

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
