// Facts that no device sends: the server folds them, and the client fetches its state.
import t from 'tap'
import { isVerifiedFact } from '../../src/payment/state.js'
import { EVENTS, PAYMENT_EVENT_TYPES } from '../../src/protocol/events.js'
import { FakeServer, listenTo, of } from './fake-server.js'

const verified = { source: 'api', verified: true }

t.test('Every event that only the server can fold makes the client fetch the state, and no other event does', async (t) => {
  for (const type of PAYMENT_EVENT_TYPES) {
    const server = new FakeServer()
    const room = server.connect()
    await server.clock.advance(10)
    server.publish(type, { reason: 'r' }, { source: EVENTS[type].sentBy === 'server' ? 'server' : 'api', verified: true })
    await server.clock.advance(10)
    t.equal(server.sent('JOIN_ROOM').length, isVerifiedFact({ type, verified: true }) ? 2 : 1, type)
    t.strictSame({ ...room.state, updatedAt: 0 }, { ...server.payment.state, updatedAt: 0 }, type)
  }
  const server = new FakeServer()
  server.connect()
  await server.clock.advance(10)
  server.publish('PAYMENT_UPDATE', {}, { source: 'api' })
  server.publish('PAYMENT_SUCCESS')
  await server.clock.advance(10)
  t.equal(server.sent('JOIN_ROOM').length, 1, 'neither a broadcast nor a claim')
})

for (const [transport, options] of [['socket', {}], ['stream', { WebSocket: null as never }]] as const) {
  t.test(`Several facts at once are one fetch over a ${transport}`, async (t) => {
    const server = new FakeServer()
    const room = server.connect(options)
    const received = listenTo(room)
    await server.clock.advance(10)
    const fetches = () => transport === 'socket' ? server.sent('JOIN_ROOM').length : server.http.requests.length
    t.equal(fetches(), 1)
    server.publish('PAYMENT_SUCCESS', { transactionId: 'tx', amount: 5, currency: 'BRL' }, verified)
    server.publish('PAYMENT_REFUNDED', { refundId: 'a', amount: 2, currency: 'BRL' }, verified)
    server.publish('PAYMENT_DISPUTED', { reason: 'fraud' }, verified)
    await server.clock.advance(50)
    t.equal(fetches(), 2)
    t.strictSame(room.state, server.payment.state)
    t.match(room.state, { status: 'disputed', paid: 5, refunded: 2 })
    t.strictSame(of(received, 'event').map(({ seq }) => seq), [1, 2, 3])
    t.strictSame(of(received, 'state').map(({ status }) => status), ['pending', 'disputed'])
    t.strictSame(of(received, 'settled').map(({ status }) => status), ['disputed'])
  })
}

t.test('An own event that is acknowledged during a fetch does not start it again', async (t) => {
  const server = new FakeServer()
  const room = server.connect({ WebSocket: null as never })
  await server.clock.advance(10)
  const receipt = room.publish('CLICKED_PAY')
  server.publish('PAYMENT_PENDING', { reason: 'in_analysis' }, verified)
  await server.clock.advance(50)
  t.match(await receipt, { seq: 2 })
  t.equal(server.http.requests.filter(({ method }) => method !== 'POST').length, 2)
  t.strictSame(room.state, server.payment.state)
  t.match(room.state, { status: 'processing', step: 'CLICKED_PAY' })
})

t.test('A claim right after a verified failure never looks like the result', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('PAYMENT_ERROR', { error: 'declined' }, verified)
  server.publish('PAYMENT_SUCCESS', { transactionId: 'tx' })
  t.equal(room.state?.status, 'pending')
  await server.clock.advance(10)
  t.strictSame(of(received, 'state').map(({ status }) => status), ['pending', 'failed'])
  t.strictSame(of(received, 'settled'), [])
})

t.test('A reply that was written before the last fact does not count: the client fetches again', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.intercept = (socket, { type }) => {
    if (type !== 'JOIN_ROOM') return false
    server.intercept = () => false
    const { state } = server.payment
    server.publish('PAYMENT_SUCCESS', { amount: 5 }, verified)
    socket.receive('ROOM_JOINED', { roomId: 'room 1', epoch: 'e1', seq: 1, state, recovered: true, replayed: 0 })
    return true
  }
  server.publish('PAYMENT_ERROR', { error: 'declined' }, verified)
  await server.clock.advance(10)
  t.equal(server.sent('JOIN_ROOM').length, 3)
  t.equal(room.state?.status, 'succeeded')
  t.strictSame(room.state, server.payment.state)
})

t.test('A device publishes its own events, and listens to all; both are typed', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  server.intercept = (socket, { type, id }) => type === 'PAYMENT_CANCELLED' && server.refuse(socket, 'FORBIDDEN', false, id)
  // @ts-expect-error: an event of a backend
  const refused = room.publish('PAYMENT_CANCELLED')
  const received: Array<string | number | undefined> = []
  room.on('PAYMENT_REFUNDED', ({ payload: { refundId } }) => { received.push(refundId) })
  room.on('LINK_UPDATED', ({ payload: { expiresAt } }) => { received.push(expiresAt) })
  room.on('settled', ({ state: { attempt, balance, lastError } }) => { received.push(attempt, balance, lastError?.error) })
  server.publish('PAYMENT_REFUNDED', { refundId: 'a' }, verified)
  server.publish('LINK_UPDATED', { expiresAt: 7 }, { source: 'server', verified: true })
  await server.clock.advance(10)
  await t.rejects(refused, { code: 'FORBIDDEN' })
  t.strictSame(received, ['a', 7, 1, undefined, undefined])
})
