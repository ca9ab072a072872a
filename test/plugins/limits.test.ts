// Limits of one client: messages, invalid frames, connections.
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { Broker } from '../../src/broker/broker.js'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'
import { nextHandle } from '../websocket/accepted.js'
import { until } from '../until.js'

/** An app and its clients on a clock that moves only with the test. */
async function still (t: Test, env: Record<string, string>) {
  const clock = { now: 1_795_500_000_000 }
  const { app } = await build(t, { env, now: () => clock.now })
  return { app, clock, connect: () => Peer.inject(t, app) }
}

/** Makes a broker publish nothing until its release. @returns the function that releases it */
function slowDown (broker: Broker): () => void {
  const publish = broker.publish.bind(broker)
  let release = () => {}
  const slow = new Promise<void>((resolve) => { release = resolve })
  broker.publish = async (...args) => {
    await slow
    return publish(...args)
  }
  return release
}

t.test('the 41st message at one moment is refused and may be sent again; its socket and other clients are not affected', async (t) => {
  const { clock, connect } = await still(t, { MESSAGES_PER_SECOND: '20', MESSAGES_BURST: '40' })
  const [shop, phone] = [await connect(), await connect()]
  await shop.join('r')
  for (let i = 1; i <= 41; i++) phone.send('CLICKED_PAY', { roomId: 'r' }, `e${i}`)
  t.match((await phone.next('ERROR')).payload, { code: 'RATE_LIMITED', retryable: true, id: 'e41' })
  await shop.settled()
  t.equal(shop.events.length, 40)
  clock.now += 50
  phone.send('CLICKED_PAY', { roomId: 'r' }, 'e41')
  t.match(await sees(shop, 41), { id: 'e41' })
})

/** Waits until a peer receives the event with this number. */
async function sees (peer: Peer, seq: number) {
  let frame
  do frame = await peer.next('CLICKED_PAY'); while (frame.seq !== seq)
  return frame
}

t.test('a flood of messages, invalid frames, pings or unsolicited pongs closes its socket with 4004', async (t) => {
  const { app, connect } = await still(t, { MESSAGES_PER_SECOND: '2', MESSAGES_BURST: '4' })
  const shop = await connect()
  await shop.join('r')
  const floods: Record<string, (peer: Peer) => void> = {
    messages: (peer) => peer.send('CLICKED_PAY', { roomId: 'r' }),
    garbage: (peer) => peer.socket.send('{'),
    pings: (peer) => peer.socket.ping(),
    pongs: (peer) => peer.socket.pong()
  }
  for (const [kind, send] of Object.entries(floods)) {
    const peer = await connect()
    for (let i = 1; i <= 20; i++) send(peer)
    if (kind === 'pings' || kind === 'pongs') t.equal(peer.socket.readyState, 1, `${kind}: five times the burst is accepted`)
    send(peer)
    t.equal(await peer.closed, 4004, kind)
  }
  await shop.settled()
  t.ok(shop.events.length <= 4, 'the flood of messages publishes no more events than the burst allows')
  await until('only the flooded sockets are gone', () => app.sessions.size === 1)
})

t.test('the server stops reading a flood, even while one of its frames is being handled', async (t) => {
  const { app, url } = await listen(t, { env: { MESSAGES_PER_SECOND: '1', MESSAGES_BURST: '1' } })
  const release = slowDown(app.broker)
  const accepted = nextHandle(app.server)
  const peer = await Peer.connect(t, url)
  const handle = await accepted
  for (let i = 0; i < 6; i++) peer.send('CLICKED_PAY', { roomId: 'r' })
  await until('the socket is not read any more', () => handle.reading === false)
  release()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(handle.reading, false)
  t.equal(await peer.closed, 4004)
})

t.test('a pong that answers a ping of the server does not count as a message', async (t) => {
  const { app } = await listen(t, { env: { MESSAGES_PER_SECOND: '1', MESSAGES_BURST: '1', HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' }, now: () => 1_795_500_000_000 })
  const { port } = app.server.address() as { port: number }
  const peer = await Peer.connect(t, `ws://127.0.0.1:${port}`)
  for (let i = 0; i < 2; i++) await once(peer.socket, 'ping')
  await peer.join('r')
  t.equal(peer.socket.readyState, 1)
})

t.test('0 messages a second means no limit', async (t) => {
  const { connect } = await still(t, { MESSAGES_PER_SECOND: '0' })
  const [shop, phone] = [await connect(), await connect()]
  await shop.join('r')
  for (let i = 0; i < 1000; i++) phone.send('CLICKED_PAY', { roomId: 'r' })
  t.ok(await sees(shop, 1000))
})

t.test('more than ten invalid frames a minute close the socket with 4501; ten do not', async (t) => {
  const { clock, connect } = await still(t, { MESSAGES_PER_SECOND: '0' })
  const peer = await connect()
  const bad = ['', '{', '[]', 'null', '{"type":"NO_SUCH_EVENT"}', '{"type":"JOIN_ROOM"}', '{"type":1}', '"x"', '{"type":"JOIN_ROOM","payload":{"roomId":"a/b"}}', '{"type":"PING","payload":[]}']
  for (const text of bad) peer.socket.send(text)
  await peer.settled()
  t.equal(peer.frames.filter(({ type }) => type === 'ERROR').length, 10)
  clock.now += 60_000
  for (const text of bad) peer.socket.send(text)
  await peer.join('r')
  peer.socket.send('{')
  t.equal(await peer.closed, 4501)
  t.equal(peer.frames.filter(({ type }) => type === 'ERROR').length, 21, 'the last invalid frame is answered as well')
})

t.test('a valid frame that is refused does not count as invalid', async (t) => {
  const { connect } = await still(t, { MESSAGES_PER_SECOND: '0', MAX_ROOMS_PER_SOCKET: '1', API_KEYS: 'key', RESULTS_FROM: 'backend' })
  const peer = await connect()
  await peer.join('r')
  for (let i = 0; i < 20; i++) {
    peer.send('LEAVE_ROOM', { roomId: 'other' })
    peer.send('PAYMENT_SUCCESS', { roomId: 'r' })
    peer.send('JOIN_ROOM', { roomId: 'another' })
  }
  await peer.settled()
  t.equal(peer.frames.filter(({ type }) => type === 'ERROR').length, 60)
  t.equal(peer.socket.readyState, 1)
})

t.test('a client whose frames wait for a slow broker is not closed for a missing pong', async (t) => {
  const { app, url } = await listen(t, { env: { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' } })
  const [shop, phone] = [await Peer.connect(t, url), await Peer.connect(t, url)]
  await shop.join('r')
  await phone.join('r')
  const release = slowDown(app.broker)
  // Pauses send the frames in packets of their own: frames of one packet are read together.
  for (let i = 0; i < 100; i++) {
    phone.send('CLICKED_PAY', { roomId: 'r' })
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  release()
  t.ok(await sees(shop, 100), 'all events arrived')
  t.equal(phone.socket.readyState, 1)
})

/** Opens a socket. @returns the open socket, or the answer that refused it */
async function attempt (t: Test, url: string, headers: Record<string, string> = {}): Promise<WebSocket | { status: number, body: { code: string } }> {
  const socket = new WebSocket(url, { headers })
  t.teardown(() => socket.terminate())
  return await new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket))
    socket.on('error', reject)
    socket.on('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', (chunk) => { text += String(chunk) })
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }))
    })
  })
}

t.test('past MAX_CONNECTIONS a handshake is answered with 503, even among simultaneous ones, until a connection ends', async (t) => {
  const { app, url, port } = await listen(t, { env: { MAX_CONNECTIONS: '5' } })
  const all = await Promise.all(Array.from({ length: 20 }, () => attempt(t, url)))
  const open = all.filter((result) => result instanceof WebSocket)
  t.equal(open.length, 5)
  for (const result of all) if (!(result instanceof WebSocket)) t.match(result, { status: 503, body: { success: false, code: 'UNAVAILABLE' } })
  const stream = await fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream' } })
  t.equal(stream.status, 503, 'an event stream is a connection too')
  t.equal(app.sessions.size, 5)
  await until('the refused connections are gone, and fetch keeps its connection', async () => await connections(app) === 5 + 1)
  open[0]!.terminate()
  await until('the place of the ended socket is free', () => app.sessions.size === 4)
  t.ok(await attempt(t, url) instanceof WebSocket)
})

t.test('past MAX_CONNECTIONS_PER_IP a connection is answered with 429; only a trusted proxy can name another address', async (t) => {
  const plain = await listen(t, { env: { MAX_CONNECTIONS_PER_IP: '2' } })
  for (let i = 0; i < 2; i++) t.ok(await attempt(t, plain.url) instanceof WebSocket)
  t.match(await attempt(t, plain.url, { 'x-forwarded-for': '203.0.113.1' }), { status: 429, body: { code: 'RATE_LIMITED' } })

  const proxied = await listen(t, { env: { MAX_CONNECTIONS_PER_IP: '2', TRUST_PROXY: 'loopback' } })
  for (const address of ['203.0.113.1', '203.0.113.1', '203.0.113.2', '2001:db8::1', '2001:db8::2']) {
    t.ok(await attempt(t, proxied.url, { 'x-forwarded-for': address }) instanceof WebSocket, address)
  }
  for (const address of ['203.0.113.1', '198.51.100.1, 203.0.113.1', '2001:db8::3']) {
    t.match(await attempt(t, proxied.url, { 'x-forwarded-for': address }), { status: 429 }, address)
  }
  const stream = await fetch(`http://127.0.0.1:${proxied.port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream', 'x-forwarded-for': '203.0.113.1' } })
  t.equal(stream.status, 429)
  t.equal(stream.headers.get('retry-after'), '1', 'retry-after is set, as on every 429')
})

t.test('an address that a proxy writes with a port, brackets or garbage counts as one address, on the fast path and over HTTP', async (t) => {
  const { app, url, port, logs } = await listen(t, { env: { MAX_CONNECTIONS_PER_IP: '2', TRUST_PROXY: 'loopback, 10.0.0.0/8' } })
  for (const [address, ways] of [
    ['203.0.113.1', ['203.0.113.1:1', '"203.0.113.1:2"', '203.0.113.1']],
    ['2001:db8::1', ['[2001:db8::1]:1', '[2001:db8::2]', '2001:db8::3']],
    ['198.51.100.1', ['192.0.2.1:1, 198.51.100.1:2, 10.0.0.1:3', '198.51.100.1, 10.0.0.2:4', '198.51.100.1:5']],
    ['127.0.0.1', ['unknown', '203.0.113.9, _hidden', '203.0.113.9:x']]
  ] as const) {
    const [first, second, third] = ways
    // A content-length sends a handshake through HTTP.
    t.ok(await attempt(t, url, { 'x-forwarded-for': first }) instanceof WebSocket, first)
    t.ok(await attempt(t, url, { 'x-forwarded-for': second, 'content-length': '0' }) instanceof WebSocket, second)
    for (const headers of [{ 'x-forwarded-for': third }, { 'x-forwarded-for': third, 'content-length': '0' }]) t.match(await attempt(t, url, headers), { status: 429 }, third)
    const stream = await fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream', 'x-forwarded-for': third } })
    t.equal(stream.status, 429, `a stream from ${third}`)
    t.equal(logs.filter(({ address: logged }) => logged === address).length, address.includes(':') ? 1 : 2, 'the log holds the address without port and brackets')
  }
  t.equal(app.sessions.size, 8)
})

/** Number of open connections, as the HTTP server counts them. */
async function connections (app: Awaited<ReturnType<typeof listen>>['app']): Promise<number> {
  return await new Promise((resolve, reject) => app.server.getConnections((error, count) => { error ? reject(error) : resolve(count) }))
}
