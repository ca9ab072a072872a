// Subscriptions of an application: the names of signals, changes from within a handler, and handlers that throw.
import t from 'tap'
import { FakeServer, listenTo, of } from './fake-server.js'

const seqs = (received: Array<[string, any]>) => of(received, 'event').map(({ seq }) => seq)

t.test('An event is emitted under its type, too, but a backend\'s type cannot pass for a signal', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received: unknown[] = []
  room.on('PAYMENT_SUCCESS', ({ payload: { amount, transactionId } }) => { received.push(amount, transactionId) })
  room.on('PAYMENT_UPDATE', ({ payload: { message } }) => { received.push(message) })
  room.on('closed', () => { received.push('closed') })
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', { amount: 5, transactionId: 'tx' })
  server.publish('PAYMENT_UPDATE', { message: 'hello' }, { source: 'api' })
  server.publish('closed', {}, { source: 'api' })
  t.strictSame(received, [5, 'tx', 'hello'])
  t.equal(room.position?.seq, 3)
})

t.test('A subscription ends when it is cancelled, also from within a handler, and one function may have two', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  const received: string[] = []
  const handler = () => { received.push('both') }
  const [end] = [room.on('event', handler), room.on('event', handler)]
  const once = room.on('event', () => {
    received.push('once')
    once()
  })
  server.publish('CLICKED_PAY')
  end!()
  server.publish('CLICKED_PAY')
  t.strictSame(received, ['both', 'both', 'once', 'both'])
})

t.test('A handler that throws does not affect other handlers, and its error is not swallowed', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  room.on('event', () => { throw new Error('a bug of the application') })
  const received = listenTo(room)
  const thrown = t.capture(globalThis, 'queueMicrotask', () => {})
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_SUCCESS')
  t.strictSame(seqs(received), [1, 2])
  const reports = thrown()
  t.equal(reports.length, 2)
  t.throws(() => (reports[0]!.args as unknown as [() => void])[0](), { message: 'a bug of the application' })
})

t.test('A handler may close the room, and receives no event after that', async (t) => {
  const server = new FakeServer()
  for (const type of ['ENTERED_SUMMARY', 'CLICKED_PAY', 'PAYMENT_SUCCESS']) server.publish(type)
  const room = server.connect()
  const received = listenTo(room)
  room.on('CLICKED_PAY', () => room.close())
  await server.clock.advance(10)
  t.strictSame(seqs(received), [1, 2])
})

t.test('A handler that closed the room does not receive the waiting events that follow at once', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.sockets.mute = true
  for (const type of ['ENTERED_SUMMARY', 'CLICKED_PAY', 'PAYMENT_SUCCESS']) server.publish(type)
  room.on('ENTERED_SUMMARY', () => room.close())
  for (const entry of server.log.toReversed()) server.deliver(entry)
  t.strictSame(seqs(received), [1])
})

t.test('A handler added by a handler receives the next event, not the current one', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  let added = 0
  room.on('event', () => { room.on('event', () => { added++ }) })
  server.publish('CLICKED_PAY')
  t.equal(added, 0)
  server.publish('CLICKED_PAY')
  t.equal(added, 1)
})
