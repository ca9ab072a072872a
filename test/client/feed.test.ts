// Events as the application receives them: each once and in order, with a correct state, and with a gap where events are missing.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { fold as foldInClient } from '../../src/client/payment.js'
import { parseFrame } from '../../src/client/link.js'
import { Sequence } from '../../src/client/sequence.js'
import { fold, newPayment } from '../../src/payment/state.js'
import { cells } from '../payment/table.js'
import { PROGRESS } from '../../src/protocol/payment-state.js'
import { FakeServer, listenTo, of } from './fake-server.js'

const seqs = (received: Array<[string, any]>) => of(received, 'event').map(({ seq }) => seq)

t.test('A new member receives the log and the state, and then live events', async (t) => {
  const server = new FakeServer()
  server.publish('ENTERED_SUMMARY', { deviceId: 'd2' })
  server.publish('PAYMENT_METHOD_CHANGED', { method: 'pix' })
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  t.strictSame(of(received, 'event')[0], { type: 'ENTERED_SUMMARY', payload: { roomId: 'room 1', deviceId: 'd2' }, seq: 1, epoch: 'e1', timestamp: 0, source: 'device' })
  t.strictSame(seqs(received), [1, 2, 3])
  t.strictSame(of(received, 'state').map(({ step }) => step), ['PAYMENT_METHOD_CHANGED', 'CLICKED_PAY'], 'a replay does not turn the state back')
  t.strictSame(room.state, server.payment.state)
  t.strictSame(of(received, 'gap'), [])
})

t.test('A duplicate event is emitted once', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_SUCCESS')
  for (const entry of server.log) server.deliver(entry)
  t.strictSame(seqs(received), [1, 2])
})

t.test('An early event waits for the missing ones before it', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.sockets.mute = true
  for (const type of ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY']) server.publish(type)
  const [first, second, third] = server.log
  server.deliver(third!)
  server.deliver(third!)
  server.deliver(second!)
  t.strictSame(seqs(received), [])
  server.deliver(first!)
  t.strictSame(seqs(received), [1, 2, 3])
  await server.clock.advance(5000)
  t.equal(server.sent('JOIN_ROOM').length, 1, 'no event was missing in the end')
})

t.test('Events that stay missing for a second are requested on the same socket', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.sockets.mute = true
  server.publish('ENTERED_SUMMARY')
  server.sockets.mute = false
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_SUCCESS')
  await server.clock.advance(999)
  t.strictSame(seqs(received), [])
  await server.clock.advance(10)
  t.strictSame(seqs(received), [1, 2, 3])
  t.strictSame(server.sent('JOIN_ROOM').map(({ payload }) => payload.recover), [{ seq: 0 }, { epoch: 'e1', seq: 0 }])
  t.equal(server.sockets.all.length, 1)
  t.strictSame(of(received, 'gap'), [])
})

t.test('Own events, which the server does not send back, leave no holes in the sequence', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  void room.publish('CLICKED_PAY')
  await server.clock.advance(1)
  // The acknowledgement of the own event comes after the next event.
  const [entry, socket] = [server.log[0]!, server.socket]
  t.equal(entry.seq, 1)
  server.publish('PAYMENT_UPDATE', {}, { source: 'api' })
  t.strictSame(seqs(received), [2])
  t.equal(room.position?.seq, 2)
  await server.clock.advance(5000)
  t.equal(socket.sent.filter(({ type }) => type === 'JOIN_ROOM').length, 1)
})

t.test('An acknowledgement that overtakes an earlier event does not skip that event', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.sockets.mute = true
  server.publish('ENTERED_SUMMARY')
  server.sockets.mute = false
  const receipt = room.publish('PAYMENT_SUCCESS')
  await server.clock.advance(5)
  t.match(await receipt, { seq: 2 })
  t.equal(room.position?.seq, 0)
  t.equal(room.state?.status, 'pending')
  server.deliver(server.log[0]!)
  t.equal(room.position?.seq, 2)
  t.match(room.state, { step: 'ENTERED_SUMMARY', status: 'succeeded' })
  t.strictSame(seqs(received), [1])
})

t.test('A log that no longer holds the missed events causes a gap signal, a correct state, and the events it still holds', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('ENTERED_SUMMARY')
  server.socket.end(1006)
  for (const type of ['CLICKED_PROCEED', 'CLICKED_PAY', 'PAYMENT_SUCCESS']) server.publish(type)
  server.log = server.log.slice(-2)
  await server.clock.advance(2000)
  t.strictSame(of(received, 'gap'), [{ before: { epoch: 'e1', seq: 1 }, after: { epoch: 'e1', seq: 2 } }])
  t.strictSame(seqs(received), [1, 3, 4])
  t.match(room.state, { step: 'CLICKED_PAY', status: 'succeeded' })
})

t.test('A new epoch is a new log: the client emits a gap and every event of it', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  server.publish('PAYMENT_SUCCESS')
  server.socket.end(1012)
  server.restart()
  server.publish('ENTERED_SUMMARY')
  await server.clock.advance(2000)
  t.strictSame(of(received, 'gap'), [{ before: { epoch: 'e1', seq: 2 }, after: { epoch: 'e2', seq: 0 } }])
  t.strictSame(of(received, 'event').map(({ epoch, seq }) => [epoch, seq]), [['e1', 1], ['e1', 2], ['e2', 1]])
  t.match(room.state, { step: 'ENTERED_SUMMARY', status: 'pending' })
})

t.test('Events that waited for the old log are dropped in the new one', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.socket.receive('PAYMENT_SUCCESS', { roomId: 'room 1', old: true }, { seq: 2, timestamp: 0, source: 'device' })
  server.socket.end(1012)
  server.restart()
  server.publish('ENTERED_SUMMARY')
  await server.clock.advance(2000)
  server.publish('CLICKED_PAY')
  t.strictSame(of(received, 'event').map(({ type, seq }) => [type, seq]), [['ENTERED_SUMMARY', 1], ['CLICKED_PAY', 2]])
})

t.test('An event emitted before the reply to a join is not emitted again after it', async (t) => {
  const sequence = new Sequence<string>({ epoch: 'e', seq: 5 })
  sequence.start({ epoch: 'e', seq: 7 }, false, 4)
  t.strictSame(sequence.position, { epoch: 'e', seq: 5 })
  t.strictSame([4, 5, 6, 7].flatMap((seq) => sequence.take(seq, '').map(({ seq }) => seq)), [6, 7])
})

t.test('A log whose position fell behind the client\'s is treated as another log', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('ENTERED_SUMMARY')
  server.publish('CLICKED_PAY')
  server.socket.end(1006)
  server.log = server.log.slice(0, 1)
  server.seq = 1
  server.payment = fold(newPayment(0), server.log[0]!)
  await server.clock.advance(2000)
  t.strictSame(of(received, 'gap').length, 1)
  t.strictSame(seqs(received), [1, 2, 1])
  t.equal(room.state?.step, 'ENTERED_SUMMARY')
})

t.test('A server without the extensions is not assumed to have replayed anything', async (t) => {
  const server = new FakeServer()
  server.extensions = false
  const received = listenTo(server.connect())
  await server.clock.advance(10)
  t.strictSame(of(received, 'gap'), [{ before: undefined, after: { epoch: 'e1', seq: 0 } }])
})

t.test('An acknowledgement from another epoch makes the client join again', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.restart()
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { epoch: 'e2', seq: 1 })
  t.strictSame(of(received, 'gap'), [{ before: { epoch: 'e1', seq: 0 }, after: { epoch: 'e2', seq: 0 } }])
  t.strictSame(room.position, { epoch: 'e2', seq: 1 })
  t.equal(room.state?.step, 'CLICKED_PAY')
})

t.test('A backend\'s result is weighed by the server: the client gets the state from a new join', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  const received = listenTo(room)
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', { amount: 1 })
  t.equal(room.state?.outcome?.verified, false)
  server.publish('PAYMENT_ERROR', { error: 'refunded' }, { source: 'api', verified: true })
  server.publish('PAYMENT_ERROR', { error: 'again' }, { source: 'api', verified: true })
  await server.clock.advance(10)
  t.match(room.state, { status: 'failed', outcome: { error: 'again', verified: true } })
  t.strictSame(seqs(received), [1, 2, 3])
  t.strictSame(of(received, 'state').map(({ status }) => status), ['pending', 'succeeded', 'failed'])
  t.equal(server.sent('JOIN_ROOM').length, 2)
})

t.test('The member list follows joins and leaves, and counts each device once', async (t) => {
  const server = new FakeServer()
  const room = server.connect({ presence: true })
  const received = listenTo(room)
  await server.clock.advance(10)
  const phone = { clientId: 'c2', deviceId: 'd2', role: 'device2', roomId: 'room 1', timestamp: 0 }
  server.socket.receive('DEVICE_JOINED', phone)
  server.socket.receive('DEVICE_JOINED', { ...phone, clientId: 'c3' })
  t.strictSame(room.members, [{ clientId: 'c', deviceId: 'd1', role: 'device1' }, { clientId: 'c3', deviceId: 'd2', role: 'device2' }])
  server.socket.receive('DEVICE_LEFT', phone)
  t.strictSame(of(received, 'members').map(({ length }) => length), [1, 2, 2, 1])
})

t.test('Invalid frames are ignored', async (t) => {
  for (const text of ['', 'nonsense', '7', 'null', '[]', '{}', '{"type":7,"payload":{}}', '{"type":"A"}', '{"type":"A","payload":null}', '{"type":"A","payload":"x"}', new ArrayBuffer(8), undefined]) {
    t.equal(parseFrame(text), undefined, String(text))
  }
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(1)
  server.socket.onmessage!({ data: 'nonsense' })
  server.socket.receive('CLICKED_PAY', {}, { seq: 1 })
  server.socket.receive('SOMETHING_NEW', {})
  await server.clock.advance(10)
  t.equal(room.status, 'online')
  t.equal(room.position?.seq, 0, 'an event that came before the join is ignored, too')
})

t.test('Entries that arrive in any order are emitted once, in order, and without holes', async () => {
  fc.assert(fc.property(fc.nat(20), fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 200 }), (start, arrivals) => {
    const sequence = new Sequence<string>({ epoch: 'e', seq: start })
    const handed: number[] = []
    const seen = new Set<number>()
    for (const seq of arrivals) {
      for (const { seq: at, entry } of sequence.take(seq, `entry ${seq}`)) {
        assert.equal(entry, `entry ${at}`)
        handed.push(at)
      }
      seen.add(seq)
      let top = start
      while (seen.has(top + 1)) top++
      assert.deepEqual(handed, Array.from({ length: top - start }, (_, i) => start + 1 + i))
      assert.equal(sequence.position!.seq, top)
      assert.equal(sequence.isWaiting, [...seen].some((seq) => seq > top))
    }
  }))
})

t.test('The number of waiting entries is limited, but the next entry in order always has a place', async (t) => {
  const sequence = new Sequence<number>({ epoch: 'e', seq: 0 })
  for (let seq = 2; seq < 1000; seq++) t.strictSame(sequence.take(seq, seq), [])
  t.strictSame(sequence.take(1, 1).map(({ seq }) => seq), Array.from({ length: 257 }, (_, i) => i + 1))
  t.strictSame(new Sequence<number>().take(1, 1), [], 'without a position nothing is emitted')
})

t.test('The client\'s state between two joins is the same as the server\'s', async () => {
  const fact = fc.record({
    type: fc.constantFrom(...PROGRESS, 'PAYMENT_SUCCESS', 'PAYMENT_ERROR', 'PAYMENT_UPDATE', 'toString'),
    payload: fc.record({
      method: fc.constantFrom('pix', 'card'),
      fields: fc.array(fc.constantFrom('name', 'cpf'), { maxLength: 2 }),
      transactionId: fc.constantFrom('a', 'b'),
      amount: fc.nat(2),
      currency: fc.constant('BRL'),
      error: fc.constantFrom('x', 'y'),
      code: fc.constantFrom('51', '52')
    }, { requiredKeys: [] }),
    timestamp: fc.nat(1000)
  })
  const terms = fc.constantFrom({}, { amount: 5, currency: 'BRL' })
  const start = fc.record({ fact, verified: fc.boolean(), terms }).map(({ fact, verified, terms }) => fold(newPayment(0, terms), { ...fact, verified }))
  fc.assert(fc.property(start, fc.array(fact), (start, facts) => {
    let [ours, servers] = [start.state, start]
    for (const fact of facts) {
      const before = ours
      ours = foldInClient(ours, fact)
      const next = fold(servers, fact)
      assert.deepEqual(ours, next.state)
      assert.equal(ours === before, next.state === servers.state, 'an event that changes nothing leaves the same object')
      servers = next
    }
  }), { numRuns: 1000 })
})

t.test('The client gives the status of the table after every event of a device in every state', async (t) => {
  for (const { row, column, expected, given, event, status } of cells().filter(({ event }) => event.verified === false)) {
    const payment = given.reduce((payment, fact) => fold(payment, { ...fact, timestamp: 1 }), newPayment(0, expected === undefined ? {} : { amount: expected, currency: 'BRL' }))
    const state = foldInClient(payment.state, { ...event, timestamp: 2 })
    t.equal(state.status, status, `${row}, then ${column}`)
    t.strictSame(state, fold(payment, { ...event, timestamp: 2 }).state)
  }
})
