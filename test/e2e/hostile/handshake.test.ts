// Invalid upgrades: each gets its 4xx, and within ten seconds its connection is closed, though the peer never closes it.
import t from 'tap'
import { listen } from '../../build.js'
import { Peer } from '../../peer.js'
import { until } from '../../until.js'
import { backTo, besideAPayment, forEach, openThings } from './bystanders.js'
import { frame, handshake, RawPeer, request } from './raw.js'

const JSON_BODY = { 'Content-Type': 'application/json', 'Content-Length': '2' }
const lines = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`).join('\r\n')
const on = (requestLine: string, headers = {}) => handshake(headers, requestLine)

const REFUSED: Record<string, [status: number, bytes: string]> = {
  'version 7': [400, handshake({ 'Sec-WebSocket-Version': '7' })],
  'version 8, whose origin stands in another header': [400, handshake({ 'Sec-WebSocket-Version': '8' })],
  'version 13.0': [400, handshake({ 'Sec-WebSocket-Version': '13.0' })],
  'version 0xd': [400, handshake({ 'Sec-WebSocket-Version': '0xd' })],
  'two versions': [400, handshake({ 'Sec-WebSocket-Version': '13\r\nSec-WebSocket-Version: 8' })],
  'no version': [400, handshake({ 'Sec-WebSocket-Version': undefined })],
  'no key': [400, handshake({ 'Sec-WebSocket-Key': undefined })],
  'an empty key': [400, handshake({ 'Sec-WebSocket-Key': '' })],
  'a key that is too short': [400, handshake({ 'Sec-WebSocket-Key': 'c2hvcnQ=' })],
  'a key that is too long': [400, handshake({ 'Sec-WebSocket-Key': 'A'.repeat(64) })],
  'a key that is no Base64': [400, handshake({ 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' })],
  'two keys': [400, handshake({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' })],
  '17 KiB of headers': [431, handshake({ X: 'a'.repeat(17 * 1024) })],
  '2,001 headers': [431, handshake({ X: `y\r\n${'a:b\r\n'.repeat(2000)}c: d` })],
  '2,001 headers before those of the upgrade': [431, request('GET / HTTP/1.1', { X: `y\r\n${'a:b\r\n'.repeat(2000)}Connection: Upgrade\r\nUpgrade: websocket` })],
  '101 headers': [431, handshake({ X: `y\r\n${lines(95)}` })],
  'HTTP/2.0 in the manner of 1.1': [400, on('GET / HTTP/2.0')],
  'HTTP/1.2': [400, on('GET / HTTP/1.2')],
  'HTTP/2 without being asked': [400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'no Host': [400, handshake({ Host: undefined })],
  'two Hosts': [400, handshake({ Host: 'a\r\nHost: b' })],
  'two Hosts, and another protocol': [400, handshake({ Host: 'a\r\nHost: b', Upgrade: 'h2c' })],
  '101 headers, another protocol, and a request for a body': [431, handshake({ Upgrade: 'h2c', X: `y\r\n${lines(95)}\r\nContent-Length: 50` }) + request('GET /health HTTP/1.1')],
  POST: [404, on('POST / HTTP/1.1')],
  'POST with a body': [400, on('POST / HTTP/1.1', JSON_BODY) + '{}'],
  'POST with a body to a route that takes one': [400, on('POST /api/rooms HTTP/1.1', JSON_BODY) + '{}'],
  'POST with a body that does not come': [400, on('POST /api/rooms HTTP/1.1', JSON_BODY)],
  'a handshake with a body': [400, handshake({ 'Content-Length': '2' }) + '{}'],
  'a handshake with a body in chunks': [400, handshake({ 'Transfer-Encoding': 'chunked' }) + '2\r\n{}\r\n0\r\n\r\n'],
  'a handshake with a body that does not come': [400, handshake({ 'Content-Length': '20' }) + '{}'],
  PUT: [404, on('PUT / HTTP/1.1')],
  TRACE: [404, on('TRACE / HTTP/1.1')],
  'a malformed URL': [400, on('GET /%E0%A4%A HTTP/1.1')],
  'a malformed parameter': [400, on('GET /api/rooms/%C0%AF HTTP/1.1')],
  'a parameter that is too long': [414, on(`GET /api/rooms/${'a'.repeat(500)} HTTP/1.1`)],
  'a path that is too long': [404, on(`GET /${'a'.repeat(15_000)} HTTP/1.1`)],
  'a path that is longer than headers may be': [431, on(`GET /${'a'.repeat(17_000)} HTTP/1.1`)],
  ...Object.fromEntries(['/health', '/ready', '/docs', '/docs/json', '/api/rooms', '/api/rooms/r', '/api/rooms/r/events', '/api/server/status', '//', '/nope'].map((path) =>
    [`an upgrade at ${path}`, [404, on(`GET ${path} HTTP/1.1`, { Accept: 'text/event-stream' })]])),
  'an upgrade at another route, in absolute form': [404, on('GET http://localhost/health HTTP/1.1')],
  'lines that end with LF alone': [400, handshake().replaceAll('\r\n', '\n')],
  'lines that end with CR alone': [400, handshake().replaceAll('\r\n', '\r') + '\r\n\r\n'],
  'a folded header': [400, handshake({ X: 'a\r\n b' })],
  'a NUL in a header': [400, handshake({ X: 'a\0b' })],
  'a space before the colon': [400, handshake({ 'Upgrade ': 'websocket' })],
  'a negative length': [400, handshake({ 'Content-Length': '-1' })],
  'a second request behind a refused upgrade': [404, on('GET /health HTTP/1.1') + request('GET /health HTTP/1.1')],
  'a second request behind a wrong version': [400, handshake({ 'Sec-WebSocket-Version': '7' }) + request('GET /health HTTP/1.1')],
  'frames behind a refused upgrade': [404, on('GET /health HTTP/1.1') + frame('{"type":"PING"}').toString('latin1')],
  'a handshake in TLS': [400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  'half a handshake, then silence': [408, handshake().slice(0, 60)],
  'all but the last line': [408, handshake().slice(0, -2)],
  'another protocol and half a body, then silence': [408, on('POST /api/rooms HTTP/1.1', { Upgrade: 'h2c', ...JSON_BODY }) + '{'],
  silence: [408, '']
}

/** Reads the status of the only answer, and its body if it is in the envelope. */
function read (answer: string): { status: number, answers: number, body: unknown } {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]), answers: answer.split('HTTP/1.1 ').length - 1, body: JSON.parse(body || 'null') }
}

t.test('An invalid upgrade gets a single answer in the envelope, and is closed within ten seconds', async (t) => {
  const server = await listen(t)
  const before = openThings(server)
  let begin = Date.now()
  // All run at once, since some of them take long.
  await besideAPayment(t, server, 'handshakes of every kind', () => forEach(Object.entries(REFUSED), async ([what, [status, bytes]]) => {
    const peer = await RawPeer.dial(t, server.port)
    // The ten seconds count for each connection; on a busy machine the connection may take a while to open.
    begin = Date.now()
    peer.write(Buffer.from(bytes, 'latin1'))
    const answer = read(String(await peer.over(10_000)))
    t.match(answer, { status, answers: 1, body: { success: false, code: String, error: String, requestId: /./, timestamp: Number } }, what)
  }, Infinity))
  await backTo(before, server, begin + 10_000 - Date.now())
  t.strictSame(server.logs.filter(({ level }) => level > 40), [])
})

t.test('The refusal of a WebSocket version names the supported version', async (t) => {
  const { port } = await listen(t)
  const peer = await RawPeer.dial(t, port)
  peer.write(handshake({ 'Sec-WebSocket-Version': '7' }))
  t.match(await peer.over(), /^HTTP\/1.1 400 [^]*\r\nsec-websocket-version: 13\r\n/)
})

t.test('With ALLOWED_ORIGINS a page of a foreign origin is refused, and so is one without an origin', async (t) => {
  const server = await listen(t, { env: { ALLOWED_ORIGINS: 'https://shop.example' } })
  const before = openThings(server)
  for (const origin of [
    'https://evil.example', 'null', '', 'https://shop.example.', 'https://shop.example/', 'HTTPS://SHOP.EXAMPLE', 'https://shop.example@evil.example', 'https://evil.example, https://shop.example'
  ]) {
    const peer = await RawPeer.dial(t, server.port)
    peer.write(handshake({ Origin: origin }))
    t.match(read(String(await peer.over())), { status: 403, answers: 1, body: { success: false, code: 'FORBIDDEN' } }, origin)
  }
  await backTo(before, server)
  await Peer.connect(t, server.url, { origin: 'https://shop.example' })
})

t.test('An unusual, but valid handshake is accepted', async (t) => {
  const { port } = await listen(t)
  for (const [what, bytes] of [
    ['in absolute form', on('GET http://localhost/ HTTP/1.1')],
    ['with a query', on('GET /?x=%E0%A4%A&__proto__[x]=1 HTTP/1.1')],
    ['with other tokens beside', handshake({ Connection: 'keep-alive, UPGRADE', Upgrade: 'WebSocket' })],
    ['or another protocol', handshake({ Upgrade: 'h2c, WebSocket' })],
    ['with extensions and subprotocols that nobody knows', handshake({ 'Sec-WebSocket-Extensions': 'permessage-deflate; x=1, foo', 'Sec-WebSocket-Protocol': 'a, b' })],
    ['with a hundred headers', handshake({ X: `y\r\n${lines(94)}` })]
  ] as const) {
    const peer = await RawPeer.dial(t, port)
    peer.write(bytes)
    await peer.next('CONNECTION_ESTABLISHED')
    t.notMatch(peer.answer, /sec-websocket-(extensions|protocol)/i, what)
    peer.leave()
  }
  const slow = await RawPeer.dial(t, port)
  for (const byte of handshake()) {
    slow.write(byte)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await slow.next('CONNECTION_ESTABLISHED')
})

t.test('Hundreds of handshakes broken off in the middle leave nothing open', async (t) => {
  const server = await listen(t)
  const before = openThings(server)
  const complete = handshake()
  await forEach(Array.from({ length: 300 }, (_, i) => Math.ceil(i * complete.length / 300)), async (length) => {
    const peer = await RawPeer.dial(t, server.port)
    peer.write(complete.slice(0, length))
    if (length % 2) peer.socket.resetAndDestroy()
    else peer.leave()
    await until('the connection is closed', () => peer.isOver)
  })
  await backTo(before, server)
  t.strictSame(server.logs.filter(({ level }) => level > 40), [])
})
