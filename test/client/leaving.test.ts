// The end of a room for its client: left by the client, or closed by the server.
import t from 'tap'
import { FakePage, FakeServer, FakeStorage, KEY, listenTo, of, types } from './fake-server.js'

t.test('A room that is closed closes its clients', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.socket.receive('ROOM_CLOSED', { roomId: 'room 1', reason: 'expired' })
  t.strictSame(of(received, 'closed'), [{ code: 4505, reason: 'expired' }])
  t.equal(server.socket.closedWith, 1000)
})

t.test('Leaving sends LEAVE_ROOM, and is final', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  room.close()
  room.close()
  t.strictSame(server.sent('LEAVE_ROOM'), [{ type: 'LEAVE_ROOM', payload: { roomId: 'room 1' } }])
  t.strictSame(of(received, 'closed'), [{ code: 1000, reason: 'client' }])
  await server.clock.advance(100_000)
  t.equal(server.sockets.all.length, 1)
  t.strictSame(server.clock.waits, [])
})

t.test('Leaving before the join sends no JOIN_ROOM, and opens no second socket', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  room.close()
  await server.clock.advance(100_000)
  t.strictSame(server.sent('JOIN_ROOM'), [])
  t.equal(server.sockets.all.length, 1)
})

t.test('A room that was left emits no event that was still on its way', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  const received = listenTo(room)
  room.close()
  server.socket.receive('CLICKED_PAY', {}, { seq: 1 })
  server.socket.receive('DEVICE_JOINED', { clientId: 'c2', deviceId: 'd2', role: 'device2' })
  t.strictSame(received.map(([signal]) => signal), ['status', 'closed'])
})

t.test('A client that left keeps nothing in the storage, once all of its events are acknowledged', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const room = server.connect({ storage })
  await server.clock.advance(10)
  server.sockets.mute = true
  void room.publish('CLICKED_PAY')
  room.close()
  t.match(JSON.parse(storage.getItem(KEY)!), { outgoing: [{}] }, 'the event is on its way')
  await server.clock.advance(100)
  t.strictSame(types(server), ['CLICKED_PAY'])
  t.equal(storage.items.size, 0)
  const idle = server.connect({ storage, roomId: 'room 2' })
  await server.clock.advance(10)
  t.equal(storage.items.size, 1)
  idle.close()
  t.equal(storage.items.size, 0)
  await server.clock.advance(100)
  t.equal(storage.items.size, 0)
})

t.test('With `keep` the next client of the same component is the same device, and gets no result again', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const first = server.connect({ storage, deviceId: undefined })
  const received = listenTo(first)
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS')
  first.close({ keep: true })
  const second = server.connect({ storage, deviceId: undefined })
  const again = listenTo(second)
  await server.clock.advance(10)
  t.equal(second.deviceId, first.deviceId)
  t.strictSame([of(received, 'settled').length, of(again, 'settled').length], [1, 0])
})

t.test('An acknowledgement for a client that left does not touch what the next client of the device has stored', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  server.http.latency = () => 1000
  const first = server.connect({ storage })
  await server.clock.advance(10)
  server.sockets.mute = true
  void first.publish('CLICKED_PROCEED')
  first.close()
  const page = new FakePage()
  const second = server.connect({ storage, ...page })
  server.sockets.mute = false
  server.intercept = () => true
  void second.publish('CLICKED_PAY')
  await server.clock.advance(1500)
  t.strictSame(types(server), ['CLICKED_PROCEED'])
  t.strictSame(JSON.parse(storage.getItem(KEY)!).outgoing.map(({ text }: { text: string }) => JSON.parse(text).type).at(-1), 'CLICKED_PAY', 'the event of the second client is stored')
})
