// End of a connection by RFC 6455 §7.1.1: a peer that closes receives all pending frames, then Close, then FIN, on both paths.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { listen } from '../build.js'
import { CLOSE, closing, frame, handshake, RawPeer, request } from '../e2e/hostile/raw.js'
import { until } from '../until.js'
import { SETTINGS } from './settings.js'

const HEADERS = { fast: {}, ws: { 'Sec-WebSocket-Protocol': 'payments' } }
const MESSAGES = 60
const goodbye = frame(closing(1000, 'bye'), { opcode: CLOSE })
const ping = frame('{"type":"PING"}')

/** Opens a peer in room `r`, and records the end of its connection. */
async function member (t: Test, port: number, path: keyof typeof HEADERS): Promise<{ peer: RawPeer, ends: string[] }> {
  const peer = await RawPeer.dial(t, port)
  const ends: string[] = []
  peer.socket.on('end', () => ends.push('FIN')).on('error', ({ message }) => ends.push(message))
  peer.write(handshake(HEADERS[path]), frame('{"type":"JOIN_ROOM","payload":{"roomId":"r"}}'))
  await peer.next('ROOM_JOINED')
  return { peer, ends }
}

/** Sends messages of this size to room `r`, and waits until the server has relayed them all. */
async function fill (t: Test, port: number, size: number): Promise<void> {
  const sender = await RawPeer.open(t, port)
  const list = Array.from({ length: size / 2_000 }, () => '*'.repeat(2_000))
  for (let i = 0; i < MESSAGES; i++) sender.write(frame(JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r', list, i } })))
  await sender.answersPing()
  sender.leave()
}

const numbers = (peer: RawPeer) => peer.frames.filter(({ type }) => type === 'CLICKED_PAY').map(({ payload }) => payload.i as number)
const ALL = Array.from({ length: MESSAGES }, (_, i) => i)

for (const path of ['fast', 'ws'] as const) {
  t.test(`${path}: a peer that closes while it is far behind, and reads late, receives all frames, then Close, then FIN`, async (t) => {
    const { app, port } = await listen(t, { env: SETTINGS })
    const { peer, ends } = await member(t, port, path)
    peer.socket.pause()
    // Far more than the kernel buffers for a connection on loopback.
    await fill(t, port, 200_000)
    peer.write(goodbye)
    // Longer than the time of a peer without pending bytes.
    await sleep(3_000)
    t.equal(app.sessions.size, 1, 'the connection is still open')
    peer.socket.resume()
    t.equal(await peer.over(), 1000)
    t.strictSame(numbers(peer), ALL)
    t.strictSame(ends, ['FIN'])
    peer.leave()
    await until('the socket is gone', () => app.sessions.size === 0)
  })

  t.test(`${path}: a peer that keeps sending after its close receives all frames too`, async (t) => {
    const { port } = await listen(t, { env: SETTINGS })
    const { peer, ends } = await member(t, port, path)
    peer.socket.pause()
    // Small enough for the kernel's buffer.
    await fill(t, port, 6_000)
    peer.write(goodbye)
    for (let i = 0; i < 5; i++) {
      await sleep(20)
      peer.write(ping)
    }
    peer.socket.resume()
    t.equal(await peer.over(), 1000)
    t.strictSame(numbers(peer), ALL)
    t.strictSame(ends, ['FIN'])
  })

  t.test(`${path}: a peer that received all frames and does not end the connection is cut off`, async (t) => {
    const { app, logs, port } = await listen(t, { env: SETTINGS })
    const { peer, ends } = await member(t, port, path)
    peer.write(goodbye)
    t.equal(await peer.over(), 1000)
    t.strictSame(ends, ['FIN'])
    t.equal(app.sessions.size, 1, 'the peer has not ended the connection')
    const talking = setInterval(() => peer.write(ping), 50)
    t.teardown(() => clearInterval(talking))
    await until('the socket is gone', () => app.sessions.size === 0)
    t.match(logs.filter(({ msg }) => msg === 'client disconnected'), [{ code: 1000 }])
  })

  t.test(`${path}: a peer that closes and does not read does not delay a stop`, async (t) => {
    const { app, port } = await listen(t, { env: SETTINGS })
    const { peer } = await member(t, port, path)
    peer.socket.pause()
    await fill(t, port, 200_000)
    peer.write(goodbye)
    await sleep(500)
    t.equal(app.sessions.size, 1)
    const begin = process.hrtime.bigint()
    await app.close()
    t.ok(process.hrtime.bigint() - begin < 20_000_000_000n, 'well before the 30 s of a peer that is behind')
    t.equal(app.sessions.size, 0)
  })
}

t.test('an upgrade after other requests in one packet is answered after them', async (t) => {
  const { logs, port } = await listen(t, { env: SETTINGS })
  const health = request('GET /health HTTP/1.1')
  for (const requests of [[health], [health, health, health], [request('GET /nowhere HTTP/1.1'), health], [request('POST /api/rooms HTTP/1.1', { 'Content-Length': '2', 'Content-Type': 'application/json' }, '{}')]]) {
    const peer = await RawPeer.dial(t, port)
    peer.write(Buffer.concat([Buffer.from(requests.join('') + handshake()), ping]))
    await until(() => `a pong comes, after ${peer.answer}`, () => peer.answer.includes('"PONG"') || peer.isOver)
    t.equal(peer.answer.match(/HTTP\/1\.1 \d+/g)?.length, requests.length + 1)
    t.match(peer.answer, /HTTP\/1\.1 101 Switching Protocols\r\n[^]*CONNECTION_ESTABLISHED[^]*"PONG"/)
    peer.leave()
  }
  t.strictSame(logs.filter(({ msg, level }) => level > 40 || msg === 'websocket upgrade failed'), [])
})

t.test('a connection that is cut while an upgrade waits for a response causes no error', async (t) => {
  const { app, logs, port } = await listen(t, { env: SETTINGS })
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  const peer = await RawPeer.dial(t, port)
  peer.write(request('GET /api/rooms/r/events HTTP/1.1', { Accept: 'text/event-stream' }) + handshake())
  await until('the stream is open', () => app.sessions.counts().stream === 1)
  peer.socket.resetAndDestroy()
  await once(peer.socket, 'close')
  await until('the connection is gone', () => app.sessions.size === 0)
  t.strictSame(logs.filter(({ msg, level }) => level > 40 || msg === 'websocket upgrade failed'), [])
})
