// Results as the application receives them: `settled` once for each status, and the state beside the one before.
import t from 'tap'
import type { Settled } from '../../src/client/index.js'
import { isSettled } from '../../src/client/payment.js'
import { PAYMENT_STATUSES, type PaymentState } from '../../src/protocol/payment-state.js'
import { FakePage, FakeServer, FakeStorage, KEY, listenTo, of } from './fake-server.js'

const verified = { source: 'api', verified: true }
/** Status of each result, with a question mark if it is claimed. */
const results = (received: Array<[string, any]>): string[] => of(received, 'settled').map(({ status, verified }: Settled) => verified ? status : `${status}?`)

t.test('Three webhooks that report one result settle the payment once, after its state', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  for (let n = 0; n < 3; n++) {
    server.publish('PAYMENT_SUCCESS', { transactionId: 'tx', amount: 5, currency: 'BRL' }, verified)
    await server.clock.advance(10)
  }
  t.equal(of(received, 'event').length, 3)
  t.strictSame(of(received, 'settled'), [{ status: 'succeeded', verified: true, state: room.state }])
  t.strictSame(received.map(([signal]) => signal).filter((signal) => /^(state|settled)$/.test(signal)), ['state', 'state', 'settled'])
})

t.test('A claimed success is marked as such, and settles once more when it is verified', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  void room.publish('PAYMENT_SUCCESS', { amount: 5 })
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', { amount: 5 })
  t.strictSame(results(received), ['succeeded?'])
  server.publish('PAYMENT_SUCCESS', { amount: 5 }, verified)
  await server.clock.advance(10)
  t.strictSame(results(received), ['succeeded?', 'succeeded'])
})

t.test('A reload does not settle a payment again, but brings the results of the meantime', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const visit = async (change: () => void) => {
    const page = new FakePage()
    const received = listenTo(server.connect({ storage, ...page }))
    await server.clock.advance(10)
    change()
    await server.clock.advance(10)
    page.tell('pagehide')
    return results(received)
  }
  t.strictSame(await visit(() => server.publish('PAYMENT_SUCCESS')), ['succeeded?'])
  t.strictSame(await visit(() => {}), [])
  server.publish('PAYMENT_SUCCESS', {}, verified)
  t.strictSame(await visit(() => {}), ['succeeded'])
  t.strictSame(await visit(() => server.publish('PAYMENT_REFUNDED', {}, verified)), ['refunded'])
  t.strictSame(await visit(() => {}), [])
  t.match(JSON.parse(storage.getItem(KEY)!), { settled: { succeeded: true, refunded: true } })
})

t.test('A page that is reloaded while it handles a result does not get it again', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  server.publish('PAYMENT_SUCCESS', {}, verified)
  const room = server.connect({ storage })
  let stored: unknown
  room.on('settled', () => { stored = JSON.parse(storage.getItem(KEY)!).settled })
  await server.clock.advance(10)
  t.strictSame(stored, { succeeded: true })
})

t.test('A new epoch of the log does not settle a payment again', async (t) => {
  const server = new FakeServer()
  const received = listenTo(server.connect())
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', {}, verified)
  await server.clock.advance(10)
  server.socket.end(1012)
  server.restart()
  await server.clock.advance(2000)
  server.publish('PAYMENT_SUCCESS')
  server.publish('PAYMENT_SUCCESS', {}, verified)
  await server.clock.advance(10)
  t.equal(of(received, 'gap').length, 1)
  t.strictSame(results(received), ['succeeded'], 'neither the claim nor the result of the new log')
})

t.test('A failure settles nothing: the payer tries again', async (t) => {
  const server = new FakeServer()
  const received = listenTo(server.connect())
  await server.clock.advance(10)
  server.publish('PAYMENT_ERROR', { error: 'declined' }, verified)
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_PENDING', { reason: 'in_analysis' }, verified)
  await server.clock.advance(10)
  t.strictSame(results(received), [])
  t.strictSame(PAYMENT_STATUSES.filter((status) => !isSettled({ status } as PaymentState)), ['pending', 'processing', 'failed'])
})

t.test('Each status settles once: a dispute that is won does not print the receipt again', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  for (const [type, payload] of [
    ['PAYMENT_EXPIRED', {}], ['PAYMENT_SUCCESS', { amount: 5 }], ['PAYMENT_DISPUTED', {}], ['PAYMENT_DISPUTED', { outcome: 'won' }], ['PAYMENT_REFUNDED', { amount: 2, refundId: 'a' }],
    ['PAYMENT_REFUNDED', { amount: 1, refundId: 'b' }], ['PAYMENT_REFUNDED', { amount: 2, refundId: 'c' }]
  ] as const) {
    server.publish(type, payload, { source: type === 'PAYMENT_EXPIRED' ? 'server' : 'api', verified: true })
    await server.clock.advance(10)
  }
  t.equal(room.state?.status, 'refunded')
  t.strictSame(results(received), ['expired', 'succeeded', 'disputed', 'partially_refunded', 'refunded'])
})

t.test('A result waits for the first handler', async (t) => {
  const server = new FakeServer()
  server.publish('PAYMENT_SUCCESS', {}, verified)
  const room = server.connect()
  await server.clock.advance(10)
  t.equal(room.state?.status, 'succeeded')
  const received: string[] = []
  const end = room.on('settled', ({ status }) => { received.push(status) })
  t.strictSame(received, [], 'not before `on` has returned')
  await server.clock.advance(0)
  t.strictSame(received, ['succeeded'])
  end()
  room.on('settled', ({ status }) => { received.push(`again ${status}`) })
  await server.clock.advance(0)
  t.strictSame(received, ['succeeded'])
})

t.test('A handler of the state that closed the room gets no result after that', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  room.on('state', ({ status }) => { if (status === 'succeeded') room.close() })
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS')
  t.equal(of(received, 'state').length, 2)
  t.strictSame(results(received), [])
})

t.test('A handler of the state gets the state before it', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const changes: Array<[string, number, string | undefined]> = []
  room.on('state', ({ status, attempt }, previous) => { changes.push([status, attempt, previous?.status]) })
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_ERROR', { error: 'declined' }, verified)
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  t.strictSame(changes, [['pending', 1, undefined], ['pending', 1, 'pending'], ['failed', 1, 'pending'], ['pending', 2, 'failed']])
  t.match(room.state?.lastError, { error: 'declined' })
})
