// Refusals over a stream and over requests: they mean what the same refusals mean over a socket.
import t from 'tap'
import { ROOM_GRACE } from '../../src/client/refusals.js'
import { FakeServer, FakeStorage, listenTo, of } from './fake-server.js'

const noSocket = { WebSocket: null as never }
const FINAL = [[401, 'INVALID_TOKEN'], [401, 'UNAUTHORIZED'], [401, 'TOKEN_EXPIRED'], [403, 'FORBIDDEN'], [404, 'ROOM_NOT_FOUND'], [410, 'ROOM_CLOSED'], [400, 'INVALID_REQUEST']] as const

t.test('A stream that is refused for good ends the client, as a refused join over a socket does', async (t) => {
  for (const [status, code] of FINAL) {
    const server = new FakeServer()
    server.http.answer = { status, code }
    const storage = new FakeStorage()
    const room = server.connect({ ...noSocket, storage })
    const received = listenTo(room)
    const refusal = t.rejects(room.publish('CLICKED_PAY'), { code: 'CLOSED' }, 'the pending event is rejected')
    await server.clock.advance(10)
    t.match(received.map(([signal, value]) => [signal, value?.code ?? value]), [['error', code], ['status', 'closed'], ['closed', code === 'ROOM_CLOSED' ? 4505 : 0]], code)
    t.match(of(received, 'closed'), [{ reason: code }])
    await refusal
    await server.clock.advance(100_000)
    t.equal(server.http.requests.length, 1)
    t.strictSame(server.clock.waits, [])
  }
})

t.test('Over a socket the same refusals end the client', async (t) => {
  for (const [, code] of FINAL) {
    const server = new FakeServer()
    server.intercept = (socket, { type, id }) => type === 'JOIN_ROOM' && server.refuse(socket, code, false, id)
    const room = server.connect()
    const received = listenTo(room)
    const refusal = t.rejects(room.publish('CLICKED_PAY'), { code: 'CLOSED' })
    await server.clock.advance(10)
    t.match(received.map(([signal, value]) => [signal, value?.code ?? value]), [['error', code], ['status', 'closed'], ['closed', code === 'ROOM_CLOSED' ? 4505 : 0]], code)
    await refusal
  }
})

t.test('A stream that is refused for now is opened again', async (t) => {
  const passing = [[409, 'ROOM_FULL'], [409, 'ROOM_TAKEN'], [429, 'RATE_LIMITED'], [503, 'UNAVAILABLE'], [500, 'INTERNAL'], [404, 'NOT_FOUND']] as const
  for (const [status, code] of [...passing, ...[401, 403, 404, 410, 502].map((status) => [status, undefined] as const)]) {
    const server = new FakeServer()
    server.http.answer = { status, ...(code && { code }) }
    const room = server.connect(noSocket)
    const received = listenTo(room)
    const receipt = room.publish('CLICKED_PAY')
    await server.clock.advance(10)
    t.equal(room.status, 'offline', `${status} ${code ?? 'of a proxy'}`)
    t.match(of(received, 'error'), code ? [{ code }] : [])
    server.http.answer = 'ok'
    await server.clock.advance(2000)
    t.match(await receipt, { seq: 1 })
  }
})

t.test('A stream whose token has expired is opened again with a fresh one', async (t) => {
  const server = new FakeServer()
  server.http.answer = { status: 401, code: 'TOKEN_EXPIRED' }
  let tokens = 0
  const room = server.connect({ ...noSocket, token: () => `token ${++tokens}` })
  await server.clock.advance(10)
  server.http.answer = 'ok'
  await server.clock.advance(2000)
  t.equal(room.status, 'online')
  t.strictSame(server.http.requests.map(({ headers }) => headers.authorization), ['Bearer token 1', 'Bearer token 2'])
})

t.test('A request refused because of its token ends the client, or fetches a fresh token', async (t) => {
  for (const [code, token, isFinal] of [['INVALID_TOKEN', () => 'x', true], ['UNAUTHORIZED', 'x', true], ['TOKEN_EXPIRED', 'x', true], ['TOKEN_EXPIRED', () => 'x', false]] as const) {
    const server = new FakeServer()
    const room = server.connect({ ...noSocket, token })
    const received = listenTo(room)
    await server.clock.advance(10)
    server.http.answer = { status: 401, code }
    const receipt = room.publish('CLICKED_PAY')
    const outcome = isFinal ? t.rejects(receipt, { code: 'CLOSED' }) : receipt
    await server.clock.advance(10)
    t.equal(room.status, isFinal ? 'closed' : 'offline', code)
    t.match(of(received, 'error'), [{ code }])
    server.http.answer = 'ok'
    await server.clock.advance(2000)
    await outcome
    t.equal(server.log.length, isFinal ? 0 : 1)
  }
})

t.test('A request refused because of its event alone is that event\'s matter', async (t) => {
  for (const [status, code] of [[403, 'FORBIDDEN'], [410, 'ROOM_CLOSED'], [400, 'SENSITIVE_DATA']] as const) {
    const server = new FakeServer()
    const room = server.connect(noSocket)
    await server.clock.advance(10)
    server.http.answer = { status, code }
    const refusal = t.rejects(room.publish('CLICKED_PAY'), { code, retryable: false })
    await server.clock.advance(10)
    await refusal
    t.equal(room.status, 'online')
  }
})

t.test('An event whose request is refused after a socket has replaced the stream goes over the socket', async (t) => {
  const server = new FakeServer()
  server.sockets.accept = 'hang'
  const room = server.connect({ socketAttempts: 1 })
  const received = listenTo(room)
  while (room.transport !== 'stream' || room.status !== 'online') await server.clock.advance(1)
  server.http.latency = () => 2000
  server.http.answer = { status: 401, code: 'UNAUTHORIZED' }
  const receipt = room.publish('CLICKED_PAY')
  server.sockets.accept = 'open'
  // The candidate that is tried with the stream opens late.
  Object.assign(server.socket, { readyState: 1 })
  server.socket.receive('CONNECTION_ESTABLISHED', { clientId: 'c' })
  await server.clock.advance(100)
  t.strictSame([room.transport, room.status], ['socket', 'online'])
  t.strictSame(server.log, [])
  await server.clock.advance(5000)
  t.match(await receipt, { seq: 1 })
  t.strictSame(of(received, 'error'), [])
})

t.test('A client with a token waits for its room after the only node has restarted', async (t) => {
  for (const transport of ['socket', 'stream']) {
    const server = new FakeServer()
    const room = server.connect({ token: 'valid', ...(transport === 'stream' && noSocket) })
    const received = listenTo(room)
    await server.clock.advance(10)
    const forget = (isGone: boolean) => {
      server.intercept = (socket, { type, id }) => isGone && type === 'JOIN_ROOM' && server.refuse(socket, 'ROOM_NOT_FOUND', false, id)
      server.http.answer = isGone ? { status: 404, code: 'ROOM_NOT_FOUND' } : 'ok'
      server.socket?.end(1006)
      for (const end of server.streams) end(undefined)
    }
    for (let n = 0; n < 2; n++) {
      server.restart()
      forget(true)
      await server.clock.advance(ROOM_GRACE * 0.9)
      t.equal(room.status, 'offline')
      t.match(of(received, 'error').at(-1), { code: 'ROOM_NOT_FOUND' })
      forget(false)
      await server.clock.advance(20_000)
      t.equal(room.status, 'online', 'the backend has created the room again')
    }
    forget(true)
    await server.clock.advance(ROOM_GRACE + 40_000)
    t.strictSame(of(received, 'closed'), [{ code: 0, reason: 'ROOM_NOT_FOUND' }], 'not for ever')
    t.strictSame(server.clock.waits, [])
  }
})

t.test('A handler of the error can close the room: no timer and no further attempt remain', async (t) => {
  for (const transport of [noSocket, {}]) {
    const server = new FakeServer()
    server.intercept = (socket, { type, id }) => type === 'JOIN_ROOM' && server.refuse(socket, 'ROOM_NOT_FOUND', false, id)
    server.http.answer = { status: 404, code: 'ROOM_NOT_FOUND' }
    const room = server.connect({ token: 'valid', ...transport })
    room.on('error', () => room.close())
    await server.clock.advance(10)
    t.equal(room.status, 'closed')
    t.strictSame(server.clock.waits, [])
  }
})
