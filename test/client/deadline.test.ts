// The deadline of the payment link: events of devices are refused from then on, and the room goes on.
import t, { type Test } from 'tap'
import type { ConnectOptions } from '../../src/client/index.js'
import { FakeServer, FakeStorage, KEY, listenTo, of, types } from './fake-server.js'

const stream = { WebSocket: null as never }

/** Runs a test over a socket and over an event stream. */
function overBoth (name: string, run: (t: Test, server: FakeServer, transport: Partial<ConnectOptions>) => Promise<void>): void {
  void t.test(name, async (t) => {
    for (const transport of [{}, stream]) await t.test(transport === stream ? 'stream' : 'socket', (t) => run(t, new FakeServer(), transport))
  })
}

overBoth('After the deadline publish rejects, and the device stays; after an extension it publishes again', async (t, server, transport) => {
  const room = server.connect(transport)
  const received = listenTo(room)
  await server.clock.advance(10)
  server.expire()
  await server.clock.advance(10)
  t.equal(room.state?.status, 'expired')
  const all = [room.publish('CLICKED_PROCEED'), room.publish('CLICKED_PAY')]
  await server.clock.advance(10)
  for (const publication of all) await t.rejects(publication, { code: 'ROOM_CLOSED', retryable: false })
  t.equal(room.status, 'online')
  t.strictSame([...of(received, 'closed'), ...of(received, 'error')], [])
  // The shop still gets a late result.
  server.publish('PAYMENT_PENDING', { reason: 'in_analysis' }, { source: 'api', verified: true })
  await server.clock.advance(10)
  t.equal(room.state?.status, 'processing')

  server.extend()
  await server.clock.advance(10)
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 4, duplicate: false })
  t.strictSame(types(server), ['PAYMENT_EXPIRED', 'PAYMENT_PENDING', 'LINK_UPDATED', 'CLICKED_PAY'])
})

overBoth('A device may join after the deadline, and sees that the link has expired', async (t, server, transport) => {
  server.publish('CLICKED_PAY')
  server.expire()
  const room = server.connect(transport)
  const received = listenTo(room)
  await server.clock.advance(10)
  t.equal(room.status, 'online')
  t.match(room.state, { status: 'expired', step: 'CLICKED_PAY' })
  t.match(of(received, 'settled'), [{ status: 'expired', verified: true }])
  server.extend()
  await server.clock.advance(10)
  t.equal(room.state?.status, 'pending')
})

overBoth('Events stored before a reload are given up after the deadline, each with an error', async (t, server, transport) => {
  const storage = new FakeStorage()
  const outgoing = ['a', 'b'].map((id) => ({ id, text: JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'room 1' }, id }) }))
  storage.setItem(KEY, JSON.stringify({ deviceId: 'd1', outgoing }))
  server.expire()
  const room = server.connect({ storage, ...transport })
  const received = listenTo(room)
  await server.clock.advance(20)
  t.match(of(received, 'error'), [{ code: 'ROOM_CLOSED' }, { code: 'ROOM_CLOSED' }])
  t.match(JSON.parse(storage.getItem(KEY)!), { deviceId: 'd1', outgoing: [] }, 'the device keeps its record')
  t.equal(room.status, 'online')
  server.extend()
  await server.clock.advance(60_000)
  t.strictSame(types(server), ['PAYMENT_EXPIRED', 'LINK_UPDATED'], 'they are not sent later')
})

t.test('A join that is refused because the room was closed for good still ends the client', async (t) => {
  const server = new FakeServer()
  server.intercept = (socket, { type, id }) => type === 'JOIN_ROOM' && server.refuse(socket, 'ROOM_CLOSED', false, id)
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  t.match(of(received, 'closed'), [{ code: 4505, reason: 'ROOM_CLOSED' }])
  t.equal(room.status, 'closed')
})
