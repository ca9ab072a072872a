// Real sockets on a real port: handshakes, limits of the frame, the heartbeat, slow readers and the graceful close.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import vm from 'node:vm'
import t from 'tap'
import { WebSocket } from 'ws'
import type { Handle } from '../../src/websocket/node/internals.js'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { flood } from '../flood.js'
import { Peer } from '../peer.js'
import { nextHandle } from '../websocket/accepted.js'
import { until } from '../until.js'
import { CLOSE, closing, fragments, frame, PING } from './hostile/raw.js'

const handshake = (path = '/', upgrade = 'websocket') =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

/** A client's frame as bytes: FIN, opcode, a mask of zeros (RFC 6455 §5.2). */
function clientFrame (payload: string, opcode = 1): Buffer {
  const body = Buffer.from(payload)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | body.length, 0, 0, 0, 0]), body])
}

/** Sends bytes, and returns everything received until the server closes. */
async function raw (port: number, bytes: string | Buffer): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => { answer += chunk.toString('latin1') })
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}

t.test('The seed\'s JavaScript client works when it is pasted into Node', async (t) => {
  const { port } = await listen(t)
  const lines: unknown[][] = []
  let socket: WebSocket | undefined
  const source = readFileSync(join(ROOT, 'test/fixtures/seed-client.js'), 'utf8').replace('ws://localhost:8080', `ws://127.0.0.1:${port}`)
  // Node has a WebSocket of its own from 22 on; before that the client gets the one of `ws`.
  const Client = (globalThis as { WebSocket?: unknown }).WebSocket ?? WebSocket
  vm.runInNewContext(`${source}; keep(ws)`, {
    WebSocket: Client, JSON, console: { log: (...line: unknown[]) => lines.push(line) }, keep: (ws: WebSocket) => { socket = ws }
  })
  await until('both answers arrived', () => lines.length === 3)
  socket!.close()
  t.strictSame(lines.map(([text]) => text), ['Conectado ao servidor', 'Mensagem recebida:', 'Mensagem recebida:'])
  t.match(lines[1]![1], { type: 'CONNECTION_ESTABLISHED' })
  t.match(lines[2]![1], { type: 'ROOM_JOINED', payload: { roomId: 'payment_123', deviceId: 'device_1' } })
})

t.test('In a hundred payments at once each shop receives only its own phone\'s events, in order', async (t) => {
  const { url } = await listen(t)
  const flow = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY', 'PAYMENT_SUCCESS']
  const pairs = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const [shop, phone] = await Promise.all([Peer.connect(t, url), Peer.connect(t, url)])
    await shop.join(`payment_${n}`)
    return { n, shop, phone }
  }))
  for (const type of flow) for (const { n, phone } of pairs) phone.send(type, { roomId: `payment_${n}` })
  await Promise.all(pairs.map(({ shop }) => shop.next('PAYMENT_SUCCESS')))
  for (const { n, shop, phone } of pairs) {
    t.strictSame(shop.events.map(({ type, seq, payload }) => [type, seq, payload.roomId]), flow.map((type, i) => [type, i + 1, `payment_${n}`]))
    t.strictSame(phone.events, [])
  }
})

t.test('A handshake in a form that only the router accepts opens a socket, too', async (t) => {
  const { port } = await listen(t)
  for (const path of ['http://localhost/', 'http://localhost/?client=shop']) {
    const socket = net.connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    let answer = ''
    socket.on('data', (chunk) => { answer += String(chunk) })
    socket.write(handshake(path))
    await until('the greeting arrived', () => answer.includes('CONNECTION_ESTABLISHED'))
    socket.write(clientFrame('{"type":"JOIN_ROOM","payload":{"roomId":"r"}}'))
    await until('the join is answered', () => answer.includes('ROOM_JOINED'))
    t.match(answer, /^HTTP\/1.1 101 /)
    socket.end(clientFrame('', 8))
    await once(socket, 'close')
  }
})

t.test('A socket counts for the address that a trusted proxy names, and for no other', async (t) => {
  const codes = async (trusted: string): Promise<number[]> => {
    const { port } = await listen(t, { env: { MAX_CONNECTIONS_PER_IP: '1', TRUST_PROXY: trusted } })
    const answers: number[] = []
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) {
      const socket = net.connect(port, '127.0.0.1')
      t.teardown(() => socket.destroy())
      socket.write(handshake().replace('\r\n\r\n', `\r\nX-Forwarded-For: ${address}\r\n\r\n`))
      const [answer] = await once(socket, 'data') as [Buffer]
      answers.push(Number(String(answer).split(' ')[1]))
    }
    return answers
  }
  t.strictSame(await codes('loopback'), [101, 101, 429])
  t.strictSame(await codes('192.0.2.0/24'), [101, 429, 429])
})

t.test('A peer that disconnects before its address is read does not affect other peers', async (t) => {
  const { app, port, url } = await listen(t, { env: { TRUST_PROXY: 'loopback', MAX_CONNECTIONS_PER_IP: '5' } })
  const cut = nextHandle(app.server, (handle) => Object.defineProperty(handle, 'getpeername', { value: () => -constants.errno.ENOTCONN }))
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  socket.write(handshake())
  const handle = await cut as Handle & { readonly bytesRead: number }
  await until('the handshake was read', () => handle.bytesRead > 0)
  socket.resetAndDestroy()
  await Peer.connect(t, url)
  await until('only the other connection is left', () => new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count === 1))))
  t.equal(app.sessions.size, 1)
})

t.test('A standard handshake takes the fast path: it becomes a session, and neither HTTP nor ws has a socket for it', async (t) => {
  const { app, url } = await listen(t)
  app.server.on('upgrade', () => t.fail('the handshake was passed to HTTP'))
  const peer = await Peer.connect(t, url)
  await peer.join('r')
  t.equal(app.sessions.size, 1)
  t.equal(app.websocketServer.clients.size, 0)
})

t.test('A frame in the same packet as the handshake is not lost', async (t) => {
  const { port } = await listen(t)
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  let answer = ''
  socket.on('data', (chunk) => { answer += String(chunk) })
  socket.write(Buffer.concat([Buffer.from(handshake()), clientFrame('{"type":"JOIN_ROOM","payload":{"roomId":"r"}}')]))
  await until('the join is answered', () => answer.includes('ROOM_JOINED'))
  t.match(answer, /^HTTP\/1.1 101 /)
})

t.test('An upgrade elsewhere than at / gets an HTTP answer, and the socket is closed', async (t) => {
  const { app, port } = await listen(t)
  for (const path of ['/health', '/ready', '/docs', '/docs/json', '/api/server/status', '/nope', '/api/message/room/r/broadcast']) {
    t.match(await raw(port, handshake(path)), /^HTTP\/1.1 404 [^]*"code":"NOT_FOUND"/, path)
  }
  t.match(await raw(port, handshake('/%E0%A4%A')), /^HTTP\/1.1 400 /, 'a malformed URL')
  t.match(await raw(port, handshake(`/api/message/room/${'a'.repeat(500)}/broadcast`)), /^HTTP\/1.1 4/, 'a parameter that is too long')
  t.match(await raw(port, handshake().replace('Version: 13', 'Version: 7')), /^HTTP\/1.1 4/, 'another version')
  t.match(await raw(port, handshake().replace('dGhlIHNhbXBsZSBub25jZQ==', 'short')), /^HTTP\/1.1 400 /, 'a bad key')
  t.match(await raw(port, handshake().replace('GET', 'POST')), /^HTTP\/1.1 4/, 'a POST')
  t.equal(app.sessions.size, 0)
  await until('no connection is left open', () => {
    let open = -1
    app.server.getConnections((_err, count) => { open = count })
    return open <= 0
  })
})

t.test('A plain GET / with only an Upgrade header, as some proxies send it, is answered with a page', async (t) => {
  const { port } = await listen(t)
  t.match(await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 200 [^]*WebSocket Payment Server/)
})

t.test('An offered subprotocol is not echoed', async (t) => {
  const { url } = await listen(t)
  const socket = new WebSocket(url, ['secret'])
  // A client that insists on a subprotocol fails by itself (RFC 6455 §4.1); the test only checks that the server did not echo it.
  const [error] = await once(socket, 'error')
  t.match(error.message, /no subprotocol/)
})

t.test('Frames that break RFC 6455 close their socket, with the matching code', async (t) => {
  const { url, port, app } = await listen(t)
  const bystander = await Peer.connect(t, url)
  await bystander.join('r')

  const large = await Peer.connect(t, url)
  large.socket.send('x'.repeat(16385))
  t.equal(await large.closed, 1009)

  const exact = await Peer.connect(t, url)
  exact.socket.send('x'.repeat(16384))
  t.equal((await exact.next('ERROR')).payload.code, 'INVALID_JSON', 'the largest frame is accepted')

  const badText = await Peer.connect(t, url)
  badText.socket.send(Buffer.from([0xc3, 0x28]), { binary: false })
  t.equal(await badText.closed, 1007)

  // Close frame: FIN + opcode 8, two bytes, and the code 1002.
  const unmasked = Buffer.concat([Buffer.from(handshake()), Buffer.from([0x81, 0x02, 0x7b, 0x7d])])
  t.ok((await raw(port, unmasked)).endsWith('\x88\x02\x03\xea'))
  await until('only the two valid sockets are left', () => app.sessions.size === 2)
  await bystander.settled()
})

t.test('A frame right before a close frame is answered before the close, with either reader of the socket', async (t) => {
  const { port } = await listen(t)
  const ways: ReadonlyArray<[reader: string, head: string, first: Buffer]> = [
    ['the fast path', handshake(), Buffer.alloc(0)],
    ['ws, after an upgrade by HTTP', handshake().replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: any\r\n\r\n'), Buffer.alloc(0)],
    ['ws, after fragments', handshake(), Buffer.concat(fragments([Buffer.from('{"type":'), Buffer.from('"PING"}')]))]
  ]
  for (const [reader, head, first] of ways) {
    const socket = net.connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    let received = Buffer.alloc(0)
    socket.on('data', (chunk) => { received = Buffer.concat([received, chunk]) }).write(head)
    await until('the greeting', () => received.includes('CONNECTION_ESTABLISHED'))
    socket.write(Buffer.concat([
      first, clientFrame('{"type":"CLICKED_PAY","id":"e1","payload":{"roomId":"r"}}'), clientFrame('beat', PING), frame(closing(1001), { opcode: CLOSE })
    ]))
    await until('the socket is closed', () => socket.closed)
    const answers = [received.indexOf('"ACK"'), received.indexOf(Buffer.from('\x8a\x04beat', 'latin1')), received.indexOf(Buffer.from([0x88, 2, 0x03, 0xe9]))]
    t.ok(answers[0]! > 0 && answers[0]! < answers[1]! && answers[1]! < answers[2]! && answers[2] === received.length - 4, `${reader}: ${answers} of ${received.length}`)
  }
})

t.test('The heartbeat closes a peer that does not answer, and no other', async (t) => {
  const { app, url } = await listen(t, { env: { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' } })
  const alive = await Peer.connect(t, url)
  const dead = await Peer.connect(t, url, { autoPong: false })
  await dead.join('r')
  t.equal(await dead.closed, 4003)
  t.equal(app.rooms.size, 0, 'no ghost session is left')
  await alive.join('r')
  t.equal(app.sessions.size, 1)
})

t.test('A peer that does not read is cut with 4001 and does not affect the others', async (t) => {
  const { app, url, logs } = await listen(t)
  const slow = await Peer.connect(t, url)
  await slow.join('r')
  const shop = await Peer.connect(t, url)
  await shop.join('r')
  const phone = await Peer.connect(t, url)
  slow.socket.pause()
  const sent = await flood(phone, shop)
  await until('the slow peer is closed', () => app.sessions.size === 2)
  await shop.settled()
  t.equal(shop.events.length, sent)
  t.match(logs.filter(({ msg }) => msg === 'client disconnected'), [{ clientId: slow.frames[0]!.payload.clientId, closedWith: 4001 }])
})

t.test('On close every client gets 1012, also with a peer that has stopped reading', async (t) => {
  const { app, url, port } = await listen(t)
  const peers = await Promise.all(Array.from({ length: 120 }, () => Peer.connect(t, url)))
  await Promise.all(peers.map((peer, i) => peer.join(`r${i % 7}`)))
  const deaf = net.connect(port, '127.0.0.1')
  t.teardown(() => deaf.destroy())
  deaf.write(handshake())
  await once(deaf, 'data')
  deaf.pause()
  const closing = app.close()
  t.strictSame([...new Set(await Promise.all(peers.map(({ closed }) => closed)))], [1012])
  await closing
  t.equal(app.sessions.size, 0)
  t.equal(app.rooms.size, 0)
})

t.test('A handshake during the close of the server does not delay it', async (t) => {
  const { app, port } = await listen(t)
  const half = net.connect(port, '127.0.0.1')
  half.on('error', () => { /* it is cut off, as it should be */ })
  await once(half, 'connect')
  const closing = app.close()
  half.write(handshake())
  await closing
  t.pass('closed')
})
