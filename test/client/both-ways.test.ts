// Events sent by request as well as over a socket: from a page that is being hidden or closed, or before a socket is open.
import t from 'tap'
import { FakePage, FakeServer, FakeStorage, KEY, listenTo, of, types, unreachable } from './fake-server.js'

t.test('A page that is being hidden sends all unacknowledged events by socket and in one request, with identical texts', async (t) => {
  for (const how of ['hidden', 'pagehide'] as const) {
    const server = new FakeServer()
    const page = new FakePage()
    const room = server.connect({ ...page, token: 'secret' })
    await server.clock.advance(10)
    const socket = server.socket
    const all = [room.publish('CLICKED_PROCEED', { n: 1 }), room.publish('CLICKED_PAY', { n: 2 })]
    if (how === 'hidden') page.see('hidden')
    else page.tell('pagehide')
    const words = socket.sent.filter(({ type }) => type !== 'JOIN_ROOM').map((frame) => JSON.stringify(frame))
    t.equal(words.length, 2, 'both events went over the socket, though the first was not acknowledged')
    t.strictSame(server.http.requests.map(({ signal, ...request }) => request), [{
      url: 'http://fake/base/api/rooms/room%201/events/batch',
      method: 'POST',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      body: `{"events":[${words.join()}]}`,
      keepalive: true
    }])
    await server.clock.advance(10)
    t.match(await Promise.all(all), [{ seq: 1 }, { seq: 2 }])
    t.strictSame(types(server), ['CLICKED_PROCEED', 'CLICKED_PAY'], `${how}: no event is logged twice`)
  }
})

t.test('A hidden page without unacknowledged events sends nothing; an event published while hidden goes both ways at once', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  page.see('hidden')
  t.strictSame(server.http.requests, [])
  const received = listenTo(room)
  void room.publish('CLICKED_PAY')
  t.equal(server.http.requests.length, 1)
  page.tell('pagehide')
  t.equal(server.http.requests.length, 1, 'the event is not sent twice')
  await server.clock.advance(10)
  t.strictSame(types(server), ['CLICKED_PAY'])
  t.strictSame(of(received, 'event'), [])
})

t.test('An event logged by a request while the socket was down is recognised as the client\'s own in the replay', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  const received = listenTo(room)
  await server.clock.advance(10)
  server.sockets.accept = 'refuse'
  server.socket.end(1006)
  server.publish('ENTERED_SUMMARY')
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(10)
  t.strictSame(await receipt, { epoch: 'e1', seq: 2, duplicate: false })
  t.equal(room.status, 'offline')
  server.sockets.accept = 'open'
  await server.clock.advance(5000)
  t.equal(room.status, 'online')
  t.strictSame(of(received, 'event').map(({ type, seq }) => [type, seq]), [['ENTERED_SUMMARY', 1]])
  t.strictSame(room.position, { epoch: 'e1', seq: 2 })
  t.equal(room.state?.step, 'CLICKED_PAY')
})

t.test('A refused request from a page being hidden does not settle the event: the answer on the socket does', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  server.http.answer = { status: 403, code: 'FORBIDDEN' }
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
})

t.test('A reply to a join that an own event overtook does not turn the state back', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  const room = server.connect(page)
  await server.clock.advance(10)
  server.sockets.accept = 'refuse'
  server.socket.end(1006)
  // Order on the server: the join is read before the event is in the log, and answered after the event's receipt.
  const { seq, payment: { state } } = server
  server.sockets.accept = 'open'
  server.intercept = (socket, { type }) => {
    if (type !== 'JOIN_ROOM') return false
    server.clock.setTimeout(() => socket.receive('ROOM_JOINED', { epoch: 'e1', seq, state, recovered: true, replayed: 0 }), 100)
    return true
  }
  await server.clock.advance(1300)
  void room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(1000)
  t.equal(room.status, 'online')
  t.equal(room.state?.step, 'CLICKED_PAY')
})

t.test('An event may be logged by request before the first join; the reply to the join brings the resulting state', async (t) => {
  const server = new FakeServer()
  const page = new FakePage()
  server.sockets.accept = 'refuse'
  // After a reload the client knows its position, but not the state.
  const storage = new FakeStorage()
  storage.setItem(KEY, '{"deviceId":"d1","position":{"epoch":"e1","seq":0},"outgoing":[]}')
  const room = server.connect({ ...page, storage })
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(5)
  t.match(await receipt, { seq: 1 })
  t.equal(room.state, undefined)
  server.sockets.accept = 'open'
  await server.clock.advance(5000)
  t.equal(room.state?.step, 'CLICKED_PAY')
  t.strictSame(room.position, { epoch: 'e1', seq: 1 })
})

t.test('Leaving sends unacknowledged events a last time, rejects their promises as unknown, and stores the events for the next client', async (t) => {
  const server = new FakeServer()
  const storage = new FakeStorage()
  const room = server.connect({ storage })
  await server.clock.advance(10)
  server.sockets.mute = true
  unreachable(server)
  const receipt = room.publish('CLICKED_PAY')
  const refusal = t.rejects(receipt, { code: 'CLOSED', retryable: false })
  room.close()
  await refusal
  t.equal(server.http.requests.length, 1)
  await t.rejects(room.publish('CLICKED_PAY'), { code: 'CLOSED' }, 'a closed room accepts no further event')
  await server.clock.advance(10)
  server.sockets.mute = false
  server.connect({ storage })
  await server.clock.advance(10)
  t.strictSame(types(server), ['CLICKED_PAY'])
})

t.test('A request without an answer is given up after ten seconds, so that a page that is hidden later sends its event again', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'refuse'
  server.http.answer = 'hang'
  const page = new FakePage()
  const room = server.connect({ ...page, socketAttempts: Infinity })
  const receipt = room.publish('CLICKED_PAY')
  page.see('hidden')
  await server.clock.advance(9_000)
  page.see('hidden')
  t.equal(server.http.requests.length, 1)
  await server.clock.advance(1_000)
  server.http.answer = 'ok'
  page.see('hidden')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
  t.equal(room.status, 'offline')
})
