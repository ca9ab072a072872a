// Reconnecting and giving up: close codes, jitter, dead links and pings.
import fc from 'fast-check'
import t from 'tap'
import { delayAfter, isFinal, MAX_DELAY, MIN_DELAY } from '../../src/client/reconnect.js'
import { ROOM_CLOSED } from '../../src/client/signals.js'
import { CLOSE } from '../../src/errors.js'
import { FakePage, FakeServer, listenTo, of } from './fake-server.js'

t.test('The range of a close code decides whether the client reconnects, also for an unknown code', async (t) => {
  for (const code of [1000, 1003, 1007, 1009, 4500, 4501, 4502, 4503, 4504, 4505, 4777, 4999]) t.ok(isFinal(code), `${code} is final`)
  for (const code of [0, 1001, 1002, 1005, 1006, 1008, 1010, 1011, 1012, 1013, 1014, 1015, 3000, 4000, 4001, 4002, 4003, 4004, 4005, 4499, 5000]) t.notOk(isFinal(code), `${code} is not`)
  t.strictSame([CLOSE.RESTARTING, CLOSE.TOO_SLOW, CLOSE.POSITION_LOST, CLOSE.NO_PONG].filter(({ code }) => isFinal(code)), [])
  t.notOk(new Set<number>(Object.values(CLOSE).map(({ code }) => code)).has(ROOM_CLOSED), 'no server sends the code of a closed room')
})

t.test('Waits lie anywhere between half a second and a ceiling that doubles up to twenty seconds', async (t) => {
  fc.assert(fc.property(fc.nat(2000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, random) => {
    const delay = delayAfter(failures, random)
    return delay >= MIN_DELAY && delay <= MAX_DELAY
  }))
  const ceilings = [0, 1, 2, 3, 4, 5, 50].map((failures) => Math.round(delayAfter(failures, 1)))
  t.strictSame(ceilings, [2000, 4000, 8000, 16000, 20000, 20000, 20000])
  t.strictSame([0, 1, 50].map((failures) => delayAfter(failures, 0)), [500, 500, 500], 'the jitter is full')
})

t.test('The first frame on a socket is the join, with every option that was given', async (t) => {
  const server = new FakeServer()
  const room = server.connect({ token: 'secret', presence: true, stalls: true })
  t.equal(room.status, 'connecting')
  await server.clock.advance(10)
  t.equal(server.socket.url, 'ws://fake/base/')
  t.strictSame(server.socket.sent.map(({ id, ...frame }) => frame), [{ type: 'JOIN_ROOM', payload: { roomId: 'room 1', deviceId: 'd1', role: 'device1', token: 'secret', presence: true, stalls: true, recover: { seq: 0 } } }])
  t.equal(room.status, 'online')
  t.equal(room.transport, 'socket')
  t.strictSame([room.roomId, room.deviceId, room.position, room.members], ['room 1', 'd1', { epoch: 'e1', seq: 0 }, [{ clientId: 'c', deviceId: 'd1', role: 'device1' }]])
})

t.test('A lost socket is opened again, and the join resumes at the client\'s position', async (t) => {
  for (const code of [1001, 1006, 1012, 4001, 4002, 4003, 4004, 4005]) {
    const server = new FakeServer()
    const room = server.connect()
    const received = listenTo(room)
    await server.clock.advance(10)
    server.publish('CLICKED_PAY')
    server.socket.end(code)
    t.equal(room.status, 'offline', `${code}`)
    server.publish('PAYMENT_SUCCESS')
    await server.clock.advance(1249)
    t.equal(server.sockets.all.length, 1, 'the client waits')
    await server.clock.advance(10)
    t.strictSame(server.socket.sent[0]!.payload.recover, { epoch: 'e1', seq: 1 })
    t.equal(room.status, 'online')
    t.strictSame(of(received, 'event').map(({ seq }) => seq), [1, 2])
    t.strictSame(of(received, 'status'), ['online', 'offline', 'online'])
    t.strictSame(of(received, 'gap'), [])
  }
})

t.test('A final close code ends the client, and its reason is reported', async (t) => {
  for (const code of [1000, 1003, 1009, 4500, 4503, 4505]) {
    const server = new FakeServer()
    const room = server.connect()
    const received = listenTo(room)
    await server.clock.advance(10)
    server.socket.end(code)
    t.equal(room.status, 'closed')
    t.strictSame(of(received, 'closed'), [{ code, reason: `code ${code}` }])
    t.strictSame(server.clock.waits, [], 'no timer is pending any more')
    await server.clock.advance(100_000)
    t.equal(server.sockets.all.length, 1)
  }
})

t.test('Waits grow with each failure, and begin anew only after a link that held', async (t) => {
  const server = new FakeServer()
  server.connect({ random: () => 0.999999, socketAttempts: Infinity })
  const waitOf = async () => {
    const before = server.clock.now
    const { length } = server.sockets.all
    while (server.sockets.all.length === length) await server.clock.advance(1)
    return server.clock.now - before
  }
  await server.clock.advance(10)
  server.socket.end(1006)
  t.equal(await waitOf(), 2000)
  await server.clock.advance(10)
  server.socket.end(1012)
  t.equal(await waitOf(), 4000, 'the client joined, but the link did not hold')
  await server.clock.advance(10_010)
  server.socket.end(1006)
  t.equal(await waitOf(), 2000, 'the link held for ten seconds')
  server.sockets.accept = 'refuse'
  await server.clock.advance(1)
  server.socket.end(1006)
  for (const wait of [4000, 8000, 16000, 20000, 20000]) t.ok(Math.abs(await waitOf() - wait) < 3, `${wait}`)
})

t.test('A link on which the join is not answered is dead, whether it opened or not', async (t) => {
  for (const [what, accept, mute] of [['does not open', 'hang', false], ['opens and says nothing', 'open', true]] as const) {
    const server = new FakeServer()
    Object.assign(server.sockets, { accept, mute })
    const room = server.connect()
    await server.clock.advance(10_002)
    t.equal(room.status, 'offline', what)
    t.equal(server.socket.closedWith, 1000)
    Object.assign(server.sockets, { accept: 'open', mute: false })
    await server.clock.advance(2000)
    t.equal(room.status, 'online')
  }
})

t.test('A socket whose constructor throws counts as a failed one', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'throw'
  const room = server.connect()
  await server.clock.advance(1)
  t.equal(room.status, 'offline')
  server.sockets.accept = 'open'
  await server.clock.advance(2000)
  t.equal(room.status, 'online')
  const other = new FakeServer()
  other.sockets.accept = 'throw'
  const closed = other.connect()
  await Promise.resolve()
  closed.close()
  await other.clock.advance(100_000)
  t.equal(closed.status, 'closed')
})

t.test('The client pings every twenty seconds, and takes any frame for an answer', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  await server.clock.advance(19_000)
  t.equal(server.sent('PING').length, 0)
  await server.clock.advance(45_000)
  t.strictSame(server.sent('PING'), [1, 2, 3].map(() => ({ type: 'PING', payload: {} })))
  t.equal(server.sockets.all.length, 1)

  server.sockets.mute = true
  await server.clock.advance(16_010)
  t.equal(server.sent('PING').length, 4)
  await server.clock.advance(4_000)
  server.socket.receive('SOMETHING', {})
  await server.clock.advance(4_000)
  t.equal(room.status, 'online', 'another frame is an answer, too')
  await server.clock.advance(17_000)
  t.equal(room.status, 'offline', 'no frame came for five seconds')
  t.equal(server.sockets.all[0]!.closedWith, 1005)
})

t.test('The interval of pings and the wait for an answer can be set', async (t) => {
  const server = new FakeServer()
  const room = server.connect({ pingInterval: 1000, pongTimeout: 100 })
  await server.clock.advance(1500)
  t.equal(server.sent('PING').length, 1)
  server.sockets.mute = true
  await server.clock.advance(1110)
  t.equal(room.status, 'offline')
})

t.test('A page shown again or back online pings at once; without a link it reconnects at once', async (t) => {
  const page = new FakePage()
  const server = new FakeServer()
  const room = server.connect(page)
  page.tell('online')
  t.equal(server.sent('PING').length, 0, 'a socket that is still opening gets no ping')
  await server.clock.advance(1000)
  page.see('visible')
  page.tell('online')
  page.tell('offline')
  t.equal(server.sent('PING').length, 3)
  await server.clock.advance(10)
  server.sockets.mute = true
  page.see('visible')
  await server.clock.advance(5000)
  t.equal(room.status, 'offline', 'no answer in five seconds')
  server.sockets.mute = false
  page.tell('online')
  await server.clock.advance(5)
  t.equal(room.status, 'online')
  room.close()
  for (const event of ['online', 'pagehide', 'pageshow'] as const) page.tell(event)
  page.see('hidden')
  await server.clock.advance(10)
  t.equal(server.sockets.all.length, 2, 'a closed room opens no socket')
})

t.test('A ping sent at once delays the next regular ping, and is not an extra one', async (t) => {
  const page = new FakePage()
  const server = new FakeServer()
  server.connect(page)
  await server.clock.advance(1000)
  for (let i = 0; i < 3; i++) page.see('visible')
  await server.clock.advance(59_000)
  t.equal(server.sent('PING').length, 3 + 2)
})

t.test('An option with the value undefined counts as not given', async (t) => {
  const server = new FakeServer()
  const room = server.connect({ random: undefined as never, newId: undefined as never, pingInterval: undefined })
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
  server.socket.end(1006)
  await server.clock.advance(2000)
  t.equal(room.status, 'online')
})

t.test('A page in the back/forward cache closes its link, and opens it again when the page is back', async (t) => {
  const page = new FakePage()
  const server = new FakeServer()
  const room = server.connect(page)
  await server.clock.advance(10)
  page.tell('pageshow')
  t.equal(server.sockets.all.length, 1, 'the first pageshow of a page opens no second socket')
  page.tell('pagehide')
  t.equal(server.socket.closedWith, 1000)
  t.equal(room.status, 'offline')
  page.see('visible')
  await server.clock.advance(100_000)
  t.equal(server.sockets.all.length, 1, 'no socket opens before the page is back')
  server.publish('PAYMENT_SUCCESS')
  page.tell('pageshow')
  await server.clock.advance(10)
  t.equal(room.status, 'online')
  t.equal(room.state?.status, 'succeeded')
})

t.test('A token function runs for every attempt; a token that cannot be made fails only that attempt', async (t) => {
  const server = new FakeServer()
  const tokens = [() => 'one', async () => 'two', async () => { throw new Error('no network') }, () => { throw new Error('no network') }, async () => 'five']
  let asked = 0
  const room = server.connect({ token: () => tokens[asked++]!() })
  for (let i = 0; i < 5; i++) {
    await server.clock.advance(20_000)
    server.socket.end(4005)
  }
  await server.clock.advance(20_000)
  t.strictSame(server.sent('JOIN_ROOM').map(({ payload }) => payload.token), ['one', 'two', 'five'])
  t.equal(room.status, 'offline', 'the next token is missing')
})

t.test('A token function that never answers is asked again after ten seconds and a growing pause', async (t) => {
  const server = new FakeServer()
  const askedAt: number[] = []
  let answers = false
  const token = () => {
    askedAt.push(server.clock.now)
    return answers ? 'fresh' : new Promise<string>(() => {})
  }
  const room = server.connect({ token })
  await server.clock.advance(45_000)
  t.strictSame(askedAt, [0, 11_250, 23_500, 37_750])
  t.equal(server.sockets.all.length, 0)
  answers = true
  await server.clock.advance(30_000)
  t.equal(room.transport, 'socket', 'a token that is missing does not count as a failed socket')
  const other = new FakeServer()
  other.connect({ token }).close()
  t.strictSame(other.clock.waits, [], 'a closed room waits for no token')
})

t.test('A token that comes too late is not used', async (t) => {
  const server = new FakeServer()
  const answers: Array<{ resolve: (token: string) => void, reject: (error: Error) => void }> = []
  const page = new FakePage()
  const room = server.connect({ ...page, token: () => new Promise((resolve, reject) => { answers.push({ resolve, reject }) }) })
  page.tell('online')
  page.tell('online')
  t.equal(answers.length, 3)
  answers[0]!.resolve('late')
  answers[1]!.reject(new Error('late'))
  await server.clock.advance(10)
  t.equal(server.sockets.all.length, 0)
  answers[2]!.resolve('right')
  await server.clock.advance(10)
  t.equal(room.status, 'online')
  t.equal(server.sent('JOIN_ROOM')[0]!.payload.token, 'right')
})

t.test('A join refused for now is tried again; a join refused for good ends the client', async (t) => {
  for (const [code, retryable, token, comesBack] of [
    ['UNAVAILABLE', true, undefined, true], ['ROOM_FULL', true, undefined, true], ['TOKEN_EXPIRED', false, () => 'fresh', true],
    ['TOKEN_EXPIRED', false, 'old', false], ['FORBIDDEN', false, undefined, false], ['ROOM_CLOSED', false, undefined, false]
  ] as const) {
    const server = new FakeServer()
    server.intercept = (socket, { type, id }) => type === 'JOIN_ROOM' && server.refuse(socket, code, retryable, id)
    const room = server.connect({ token })
    const received = listenTo(room)
    await server.clock.advance(10)
    t.match(of(received, 'error'), [{ name: 'RoomError', code, retryable, message: `refused: ${code}` }])
    server.intercept = () => false
    await server.clock.advance(5000)
    t.equal(room.status, comesBack ? 'online' : 'closed', code)
    if (!comesBack) t.match(of(received, 'closed'), [{ code: code === 'ROOM_CLOSED' ? 4505 : 0, reason: code }])
  }
})
