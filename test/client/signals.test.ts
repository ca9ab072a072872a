// How an application listens: under which names, from within, and with functions that throw.
import t from 'tap'
import { FakeServer, listenTo, of } from './fake-server.js'

const seqs = (heard: Array<[string, any]>) => of(heard, 'event').map(({ seq }) => seq)

t.test('an event is told under its type too, but a backend\'s type cannot pass for a signal', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const heard: unknown[] = []
  room.on('PAYMENT_SUCCESS', ({ payload: { amount, transactionId } }) => { heard.push(amount, transactionId) })
  room.on('PAYMENT_UPDATE', ({ payload: { message } }) => { heard.push(message) })
  room.on('closed', () => { heard.push('closed') })
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', { amount: 5, transactionId: 'tx' })
  server.publish('PAYMENT_UPDATE', { message: 'hello' }, { source: 'api' })
  server.publish('closed', {}, { source: 'api' })
  t.strictSame(heard, [5, 'tx', 'hello'])
  t.equal(room.position?.seq, 3)
})

t.test('a subscription ends when it is told to, also from within, and one function may have two', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  const heard: string[] = []
  const handler = () => { heard.push('both') }
  const [end] = [room.on('event', handler), room.on('event', handler)]
  const once = room.on('event', () => {
    heard.push('once')
    once()
  })
  server.publish('CLICKED_PAY')
  end!()
  server.publish('CLICKED_PAY')
  t.strictSame(heard, ['both', 'both', 'once', 'both'])
})

t.test('a handler that throws disturbs nobody, and its error is not swallowed', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(10)
  room.on('event', () => { throw new Error('a bug of the application') })
  const heard = listenTo(room)
  const thrown = t.capture(globalThis, 'queueMicrotask', () => {})
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_SUCCESS')
  t.strictSame(seqs(heard), [1, 2])
  const reports = thrown()
  t.equal(reports.length, 2)
  t.throws(() => (reports[0]!.args as unknown as [() => void])[0](), { message: 'a bug of the application' })
})

t.test('a handler may close the room; then it hears no more', async (t) => {
  const server = new FakeServer()
  for (const type of ['ENTERED_SUMMARY', 'CLICKED_PAY', 'PAYMENT_SUCCESS']) server.publish(type)
  const room = server.connect()
  const heard = listenTo(room)
  room.on('CLICKED_PAY', () => room.close())
  await server.clock.advance(10)
  t.strictSame(seqs(heard), [1, 2])
})

t.test('nor does it hear what had waited and follows at once', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const heard = listenTo(room)
  await server.clock.advance(10)
  server.sockets.mute = true
  for (const type of ['ENTERED_SUMMARY', 'CLICKED_PAY', 'PAYMENT_SUCCESS']) server.publish(type)
  room.on('ENTERED_SUMMARY', () => room.close())
  for (const entry of server.log.toReversed()) server.deliver(entry)
  t.strictSame(seqs(heard), [1])
})

t.test('a handler that is added by a handler hears the next event, and not this one', async (t) => {
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
