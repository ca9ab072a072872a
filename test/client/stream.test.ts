// Fallback without sockets: the event stream and requests, and the way back to a socket.
import t from 'tap'
import { addresses, streamAddress } from '../../src/client/options.js'
import { environment } from '../../src/client/environment.js'
import { openStream } from '../../src/client/stream.js'
import { Clock, FakePage, FakeServer, listenTo, of } from './fake-server.js'

/** A client whose sockets a network blocks, after it has given them up. */
async function blocked (options = {}, answer: FakeServer['http']['answer'] = 'ok') {
  const server = new FakeServer()
  server.sockets.accept = 'refuse'
  server.http.answer = answer
  const room = server.connect(options)
  const received = listenTo(room)
  for (let i = 0; i < 100 && room.status !== 'online'; i++) await server.clock.advance(100)
  return { server, room, received }
}

t.test('After three sockets that did not open, the client reads a stream and publishes by requests', async (t) => {
  const { server, room, received } = await blocked({ token: 'secret' })
  t.equal(room.status, 'online')
  t.equal(room.transport, 'stream')
  t.equal(server.sockets.all.length, 4, 'and one more once the stream worked: the network may have come back in between')
  t.match(server.http.requests, [{
    url: 'http://fake/base/api/rooms/room%201/events?deviceId=d1&role=device1&since=0', headers: { accept: 'text/event-stream', authorization: 'Bearer secret' }, cache: 'no-store'
  }])
  server.publish('ENTERED_SUMMARY')
  await server.clock.advance(10)
  const all = [room.publish('CLICKED_PROCEED'), room.publish('CLICKED_PAY')]
  await server.clock.advance(10)
  t.match(await Promise.all(all), [{ seq: 2 }, { seq: 3 }])
  t.strictSame(of(received, 'event').map(({ type, seq }) => [type, seq]), [['ENTERED_SUMMARY', 1]])
  t.equal(room.state?.step, 'CLICKED_PAY')
  t.strictSame(room.position, { epoch: 'e1', seq: 3 })
  room.close()
  await server.clock.advance(10)
  t.equal(server.streams.size, 0)
  t.strictSame(server.clock.waits, [])
})

t.test('Failed sockets with a working one in between are not counted in a row', async (t) => {
  const server = new FakeServer()
  const room = server.connect()
  for (let i = 0; i < 5; i++) {
    server.sockets.accept = 'refuse'
    const { length } = server.sockets.all
    while (server.sockets.all.length === length) await server.clock.advance(100)
    server.sockets.accept = 'open'
    for (let n = 0; n < 300 && room.status !== 'online'; n++) await server.clock.advance(100)
    t.equal(room.transport, 'socket')
    await server.clock.advance(20_000)
    server.socket.end(1006)
  }
  t.strictSame(server.http.requests, [])
})

t.test('A stream closed by a handler of its event brings no further event', async (t) => {
  const frames: string[] = []
  const clock = new Clock()
  const text = ['A', 'B'].map((type) => `data: {"type":"${type}","payload":{}}\n\n`).join('')
  const chunks = [new TextEncoder().encode(text)]
  const read = async () => ({ done: chunks.length === 0, value: chunks.shift() })
  const fetch = async () => ({ ok: true, status: 200, body: { getReader: () => ({ read }) }, json: async () => ({}) })
  const link = openStream({ ...environment({}), fetch, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout }, 'http://fake', {}, {
    closed: () => { frames.push('closed') },
    frame: ({ type }) => {
      frames.push(type)
      link.close()
    }
  })
  await clock.advance(5000)
  t.strictSame(frames, ['A'])
  t.strictSame(clock.waits, [])
})

t.test('Characters are not broken, wherever the network splits a chunk', async (t) => {
  const { server, received } = await blocked()
  const text = 'ação é €5 😀'
  server.publish('PAYMENT_UPDATE', { message: text }, { source: 'api' })
  await server.clock.advance(10)
  t.equal(of(received, 'event')[0].payload.message, text)
})

t.test('Sockets that open and stay silent count as failed', async (t) => {
  const server = new FakeServer()
  server.sockets.mute = true
  const room = server.connect()
  await server.clock.advance(60_000)
  t.equal(room.transport, 'stream')
})

t.test('The number of sockets tried first can be set; without sockets the client opens a stream at once', async (t) => {
  const { server } = await blocked({ socketAttempts: 1 })
  t.equal(server.sockets.all.length, 2)
  const other = new FakeServer()
  const room = other.connect({ WebSocket: null as never })
  await other.clock.advance(10)
  t.equal(room.transport, 'stream')
  await other.clock.advance(200_000)
  t.equal(other.sockets.all.length, 0)
})

t.test('Where streams fail, too, sockets and streams are tried in turn', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'refuse'
  server.http.answer = 'unreachable'
  const room = server.connect()
  const order: string[] = []
  let [sockets, streams] = [0, 0]
  while (order.length < 7) {
    await server.clock.advance(1)
    if (server.sockets.all.length > sockets) order.push('socket')
    if (server.http.requests.length > streams) order.push('stream')
    ;[sockets, streams] = [server.sockets.all.length, server.http.requests.length]
  }
  t.strictSame(order, ['socket', 'socket', 'socket', 'stream', 'socket', 'stream', 'socket'])
  for (const answer of [{ status: 404, code: 'NOT_FOUND' }, 'hang'] as const) {
    server.http.answer = answer
    await server.clock.advance(60_000)
    t.equal(room.status, 'offline')
  }
  server.sockets.accept = 'open'
  await server.clock.advance(60_000)
  t.equal(room.transport, 'socket')
})

t.test('An outage is not a blocked transport: a server that is back is reached by a socket', async (t) => {
  // Connections are refused, or they hang until the client gives up.
  for (const accept of ['refuse', 'hang'] as const) {
    for (const seconds of [10, 25, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 90]) {
      const server = new FakeServer()
      const room = server.connect()
      await server.clock.advance(10)
      server.sockets.accept = accept
      server.http.answer = accept === 'refuse' ? 'unreachable' : 'hang'
      server.socket.end(1006)
      await server.clock.advance(seconds * 1000)
      t.equal(room.status, 'offline')
      server.sockets.accept = 'open'
      server.http.answer = 'ok'
      while (room.status !== 'online') await server.clock.advance(100)
      await server.clock.advance(100)
      t.equal(room.transport, 'socket', `${accept} for ${seconds} s`)
    }
  }
})

t.test('A proxy that answers for a server that is away is an outage, too', async (t) => {
  const { server, room } = await blocked({}, { status: 502 })
  server.sockets.accept = 'open'
  while (room.status !== 'online') await server.clock.advance(100)
  t.equal(room.transport, 'socket')
  t.ok(server.http.requests.length > 0)
})

t.test('A stream that ends or falls silent is opened again at its position', async (t) => {
  const { server, room, received } = await blocked()
  server.publish('ENTERED_SUMMARY')
  await server.clock.advance(10)
  for (const end of server.streams) end(undefined)
  await server.clock.advance(1)
  t.equal(room.status, 'offline')
  server.publish('CLICKED_PAY')
  for (let i = 0; i < 300 && room.status !== 'online'; i++) await server.clock.advance(100)
  t.equal(room.transport, 'stream')
  t.match(server.http.requests.at(-1)!.url, '?deviceId=d1&role=device1&since=1&epoch=e1')
  t.strictSame(of(received, 'event').map(({ seq }) => seq), [1, 2])

  for (const send of server.streams) send(': still here\n\n')
  const { length } = server.http.requests
  const silentSince = server.clock.now
  while (server.http.requests.length === length) await server.clock.advance(100)
  t.ok(server.clock.now - silentSince > 60_000 && server.clock.now - silentSince < 80_000)
  t.strictSame(of(received, 'gap'), [])
})

t.test('The idle time of a stream follows the heartbeat of the server', async (t) => {
  for (const [heartbeat, idle] of [[undefined, 60_000], [25_000, 60_000], [100_000, 240_000], [5_000, 12_000]] as const) {
    const server = new FakeServer()
    server.heartbeat = heartbeat
    const room = server.connect({ WebSocket: null as never })
    await server.clock.advance(idle - 100)
    t.equal(room.status, 'online')
    await server.clock.advance(200)
    t.equal(room.status, 'offline', `${heartbeat}`)
  }
})

t.test('Presence and stalls work over a stream', async (t) => {
  const { server, room, received } = await blocked({ presence: true, stalls: true })
  t.match(server.http.requests[0]!.url, /&presence=true&stalls=true$/)
  t.match(room.members, [{ deviceId: 'd1' }])
  const tell = (type: string, payload: object) => { for (const send of server.streams) send(`data: ${JSON.stringify({ type, payload: { roomId: 'room 1', ...payload } })}\n\n`) }
  tell('DEVICE_JOINED', { clientId: 'c2', deviceId: 'd2', role: 'device2' })
  tell('PAYMENT_STALLED', { seq: 1, step: 'DATA_FILLED', lastEventAt: 5, timestamp: 6 })
  await server.clock.advance(10)
  t.match(of(received, 'members').at(-1), [{ deviceId: 'd1' }, { deviceId: 'd2' }])
  t.match(of(received, 'stalled'), [{ seq: 1, step: 'DATA_FILLED', lastEventAt: 5 }])
  t.strictSame(of(received, 'event'), [])
})

t.test('A client on a stream tries a socket from time to time, and switches once the server answers on it', async (t) => {
  const { server, room, received } = await blocked()
  const keepAlive = async (ms: number) => {
    for (let i = 0; i < ms; i += 1000) {
      for (const send of server.streams) send(': still here\n\n')
      await server.clock.advance(1000)
    }
  }
  await keepAlive(44_000)
  t.equal(server.sockets.all.length, 4)
  await keepAlive(50_000)
  t.equal(server.sockets.all.length, 6, 'a socket is tried about once a minute')
  t.equal(server.http.requests.length, 1, 'the stream goes on meanwhile')

  Object.assign(server.sockets, { accept: 'open', mute: true })
  await keepAlive(50_000)
  t.equal(room.transport, 'stream', 'a socket that merely opens does not take over')
  t.equal(room.status, 'online')
  await keepAlive(10_000)
  t.equal(server.socket.closedWith, 1000, 'the client closes that socket')

  server.sockets.mute = false
  server.publish('ENTERED_SUMMARY')
  await keepAlive(60_000)
  t.equal(room.transport, 'socket')
  t.equal(server.streams.size, 0)
  server.publish('CLICKED_PAY')
  t.strictSame(of(received, 'event').map(({ seq }) => seq), [1, 2])
  t.strictSame(of(received, 'status'), ['offline', 'online'], 'the switch changes no status')
  t.equal(server.sent('JOIN_ROOM').length, 1)
})

t.test('A candidate socket is closed together with the stream that it was to replace', async (t) => {
  const { server, room } = await blocked()
  server.sockets.accept = 'hang'
  await server.clock.advance(46_000)
  const candidate = server.socket
  t.equal(server.sockets.all.length, 5)
  room.close()
  t.equal(candidate.closedWith, 1000)
})

t.test('A page shown again opens the stream anew, since a stream has no ping', async (t) => {
  const page = new FakePage()
  const { server, room } = await blocked(page)
  const before = server.http.requests.length
  page.see('visible')
  await server.clock.advance(10)
  t.equal(server.http.requests.length, before + 1)
  t.equal(server.streams.size, 1)
  t.equal(room.status, 'online')
})

t.test('Missing events, and a state weighed by the server, are requested by opening the stream anew', async (t) => {
  const { server, room, received } = await blocked()
  server.publish('PAYMENT_SUCCESS', {}, { source: 'api', verified: true })
  await server.clock.advance(10)
  t.match(room.state, { status: 'succeeded', outcome: { verified: true } })
  t.strictSame(of(received, 'event').map(({ seq }) => seq), [1])
  t.equal(server.http.requests.length, 2)
})

t.test('A request that fails for now is sent again; a request refused for good is not', async (t) => {
  const { server, room } = await blocked()
  for (const answer of ['unreachable', ...[408, 425, 429, 500, 503].map((status) => ({ status, code: 'X' })), { status: 409, code: 'ROOM_FULL' }, { status: 404, code: 'NOT_FOUND' }] as const) {
    server.http.answer = answer
    const receipt = room.publish('CLICKED_PAY')
    await server.clock.advance(10)
    server.http.answer = 'ok'
    for (const send of server.streams) send(': still here\n\n')
    await server.clock.advance(5000)
    t.match(await receipt, { epoch: 'e1' }, JSON.stringify(answer))
  }
  for (const status of [400, 403, 409, 410, 413, 415, 422]) {
    server.http.answer = { status, code: 'ID_CONFLICT' }
    const refusal = t.rejects(room.publish('CLICKED_PAY'), { code: 'ID_CONFLICT', message: 'refused: ID_CONFLICT', retryable: false }, `${status}`)
    await server.clock.advance(10)
    await refusal
  }
})

t.test('A request without an answer means a dead link, and is sent again', async (t) => {
  const { server, room } = await blocked()
  server.http.answer = 'hang'
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10_010)
  t.equal(room.status, 'offline')
  server.http.answer = 'ok'
  await server.clock.advance(60_000)
  t.match(await receipt, { seq: 1 })
  t.equal(server.log.length, 1)
})

t.test('Addresses are derived from the given one', async (t) => {
  for (const [url, socket, events] of [
    ['ws://host:8080', 'ws://host:8080/', 'http://host:8080/api/rooms/r/events'],
    ['wss://host/', 'wss://host/', 'https://host/api/rooms/r/events'],
    ['https://host/pay/', 'wss://host/pay/', 'https://host/pay/api/rooms/r/events'],
    ['http://host/pay?x=1', 'ws://host/pay?x=1', 'http://host/pay/api/rooms/r/events']
  ] as const) t.strictSame(addresses({ url, roomId: 'r' }), { socket, events }, url)
  t.throws(() => addresses({ url: '/relative', roomId: 'r' }), { code: 'ERR_INVALID_URL' }, 'outside of a page a relative address is invalid')
  t.intercept(globalThis, 'location' as never, { value: { href: 'https://shop.example/pay/1' } })
  t.match(addresses({ url: '/ws', roomId: 'a:b~c' }), { socket: 'wss://shop.example/ws', events: 'https://shop.example/ws/api/rooms/a%3Ab~c/events' })
  t.equal(streamAddress('x', 'a b&c', { role: 'device2' }, { epoch: 'e', seq: 7 }), 'x?deviceId=a+b%26c&role=device2&since=7&epoch=e')
})
