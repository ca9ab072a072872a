// The end of a room for its client: left by the client, or closed by the server.
import t from 'tap'
import { FakeServer, listenTo, of } from './fake-server.js'

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
