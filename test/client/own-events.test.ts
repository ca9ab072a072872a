// Own events: those of this device and those that this client has published, wherever they come from.
import t from 'tap'
import { FakePage, FakeServer, FakeStorage, listenTo, of } from './fake-server.js'

const pairs = (received: Array<[string, any]>) => of(received, 'event').map(({ type, seq }) => [type, seq])

t.test('Events of this device are not emitted: in a new tab, after a lost storage, or from a duplicated tab', async (t) => {
  for (const storage of [new FakeStorage(), null]) {
    const server = new FakeServer()
    const first = server.connect({ storage })
    await server.clock.advance(10)
    void first.publish('ENTERED_SUMMARY')
    await server.clock.advance(10)
    server.publish('PAYMENT_METHOD_CHANGED', { method: 'pix', deviceId: 'd2' })
    await server.clock.advance(10)
    const second = server.connect({ storage: new FakeStorage() })
    const received = listenTo(second)
    await server.clock.advance(10)
    t.strictSame(pairs(received), [['PAYMENT_METHOD_CHANGED', 2]])
    void first.publish('CLICKED_PAY')
    await server.clock.advance(10)
    t.strictSame(pairs(received), [['PAYMENT_METHOD_CHANGED', 2]])
    t.strictSame([second.state?.step, second.state?.method], ['CLICKED_PAY', 'pix'], 'the state follows them')
    t.strictSame(second.position, { epoch: 'e1', seq: 3 })
  }
})

t.test('An event of a backend about this device is emitted', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', { deviceId: 'd1' }, { source: 'api', verified: true })
  await server.clock.advance(10)
  t.strictSame(pairs(received), [['PAYMENT_SUCCESS', 1]])
})

t.test('An event of another device with the same id acknowledges no own event', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.intercept = (socket, { type, id }) => {
    if (type !== 'CLICKED_PAY') return false
    server.publish('CLICKED_PAY', { deviceId: 'd2' }, { id })
    return server.refuse(socket, 'ID_CONFLICT', false, id)
  }
  const refusal = t.rejects(room.publish('CLICKED_PAY', {}, { id: 'pay' }), { code: 'ID_CONFLICT' })
  await server.clock.advance(10)
  await refusal
  t.strictSame(pairs(received), [['CLICKED_PAY', 1]])
})

t.test('A pending event that is in the log already is acknowledged by the replay, whoever it is said to come from', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  server.sockets.accept = 'refuse'
  const room = server.connect({ ...page, socketAttempts: Infinity })
  const received = listenTo(room)
  const receipt = room.publish('CLICKED_PAY', {}, { id: 'pay' })
  server.publish('CLICKED_PAY', { deviceId: 'd1' }, { id: 'pay', source: 'api' })
  server.sockets.accept = 'open'
  await server.clock.advance(5000)
  t.match(await receipt, { seq: 1 })
  t.strictSame(pairs(received), [])
  t.equal(server.log.length, 1)
})
