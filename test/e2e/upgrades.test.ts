// Upgrades to unsupported protocols: each is answered as a plain request without `Upgrade` (RFC 9110 §7.8).
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { without } from '../installed.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'
import { RawPeer, request } from './hostile/raw.js'

const run = promisify(execFile)

const H2C = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA' }
const KINDS: ReadonlyArray<Record<string, string>> = [
  H2C,
  { Connection: 'keep-alive, upgrade', Upgrade: 'TLS/1.0' },
  { Connection: 'Upgrade', Upgrade: 'HTTP/2.0, SHTTP/1.3' },
  { Connection: 'Upgrade', Upgrade: 'websocket/13' },
  { Connection: 'Upgrade', Upgrade: '__proto__' },
  { Connection: 'Upgrade', Upgrade: '' },
  { connection: 'UPGRADE', uPGRADE: 'h2c' },
  { Connection: 'Upgrade', Upgrade: 'h2c\r\nUpgrade: TLS/1.0' }
]

const JSON_TYPE = { 'Content-Type': 'application/json' }
const EVENT = '{"type":"CLICKED_PAY","payload":{"note":"é"},"id":"once"}'
const BYTES = Buffer.from(EVENT).toString('latin1')
const withLength = { ...JSON_TYPE, 'Content-Length': String(BYTES.length) }
const inChunks = `5\r\n${BYTES.slice(0, 5)}\r\n${(BYTES.length - 5).toString(16)};a=b\r\n${BYTES.slice(5)}\r\n0\r\nX-Trailer: y\r\n\r\n`
const REQUESTS: ReadonlyArray<[line: string, headers: Record<string, string>, body: string]> = [
  ...['/', '/health', '/ready', '/docs/json', '/api/rooms', '/api/rooms/none', '/nope', '/%E0%A4%A', '/api/rooms?limit=x'].map((path) => [`GET ${path} HTTP/1.1`, {}, ''] as [string, object & Record<string, string>, string]),
  ['GET http://localhost/health HTTP/1.1', {}, ''],
  ['HEAD /health HTTP/1.1', {}, ''],
  ['OPTIONS /api/rooms HTTP/1.1', {}, ''],
  ['DELETE /api/rooms/none HTTP/1.1', {}, ''],
  ['POST /api/rooms/r/events HTTP/1.1', withLength, BYTES],
  ['POST /api/rooms/r/events HTTP/1.1', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' }, inChunks],
  ['POST /api/rooms/r/events HTTP/1.1', { ...withLength, Expect: '100-continue' }, BYTES],
  ['POST /api/rooms/r/events HTTP/1.1', { ...withLength, Expect: 'a-miracle' }, BYTES],
  ['POST /api/rooms/r/events HTTP/1.1', { ...JSON_TYPE, 'Content-Length': '1' }, '{'],
  ['POST /api/rooms/r/events HTTP/1.1', { 'Content-Length': '3' }, 'a=b']
]

/** Answers without the parts that differ between requests: times, ids and counts. */
function comparable (answers: string): string {
  return answers.replaceAll(/"(timestamp|requestId|uptime|epoch|seq)":("[^"]*"|[\d.]+)/g, '"$1":0').replaceAll(/^(date|x-request-id|content-length): .*\r\n/gim, '')
    // The event is new only the first time.
    .replaceAll('"duplicate":false', '"duplicate":true').replaceAll('201 Created', '200 OK')
}

/** Answers to a request and, on the same connection, to a plain one behind it, which closes it. */
async function answers (t: Test, port: number, bytes: string): Promise<string> {
  const peer = await RawPeer.dial(t, port)
  peer.write(Buffer.from(bytes, 'latin1'))
  await until(() => `an answer to ${bytes}; so far: ${peer.answer}`, () => /^HTTP\/1.1 [2-5]/m.test(peer.answer) || peer.isOver)
  peer.write(request('GET /health HTTP/1.1', { Connection: 'close' }))
  return String(await peer.over())
}

const count = (text: string, part: string | RegExp) => text.split(part).length - 1

t.test('An offer of any other protocol gets the same answer as a request without it, and the connection stays open', { timeout: 120_000 }, async (t) => {
  const { app, port, logs } = await listen(t)
  for (const [line, headers, body] of REQUESTS) {
    const expected = comparable(await answers(t, port, request(line, headers, body)))
    t.ok(count(expected, /^HTTP\/1.1 [2-5]/m) === 2 || /^connection: close/im.test(expected), `${line} is answered`)
    await Promise.all(KINDS.map(async (kind) => {
      t.equal(comparable(await answers(t, port, request(line, { ...headers, ...kind }, body))), expected, `${line} ${JSON.stringify({ ...headers, ...kind })}`)
    }))
  }
  t.equal(app.sessions.size, 0)
  t.strictSame(logs.filter(({ level }) => level > 40), [])
})

t.test('A body reaches the room, however it is split', async (t) => {
  const { port, url } = await listen(t)
  const device = await Peer.connect(t, url)
  await device.join('r')
  const complete = Buffer.from(request('POST /api/rooms/r/events HTTP/1.1', { ...withLength, ...H2C }, BYTES), 'latin1')
  const head = complete.indexOf('\r\n\r\n') + 4
  for (const [i, cuts] of [[], [head], [10, head - 2, head + 7], [head + 1, complete.length - 1]].entries()) {
    const peer = await RawPeer.dial(t, port)
    const bytes = Buffer.from(complete.toString('latin1').replace('once', `id-${i}`), 'latin1')
    for (const [n, cut] of [...cuts, bytes.length].entries()) {
      peer.write(bytes.subarray(n === 0 ? 0 : cuts[n - 1]!, cut))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await until('the event is accepted', () => /^HTTP\/1.1 20[01]/.test(peer.answer))
    t.match(await device.next('CLICKED_PAY'), { payload: { note: 'é' }, seq: i + 1 })
  }
})

t.test('One connection can make any number of offers, and none affects the next', async (t) => {
  const { port } = await listen(t)
  const warnings: Error[] = []
  const onWarning = (warning: Error) => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const peer = await RawPeer.dial(t, port)
  for (let n = 1; n <= 40; n++) {
    peer.write(request('GET /health HTTP/1.1', H2C))
    await until('the request is answered', () => count(peer.answer, '"status":"ok"') === n)
  }
  t.equal(peer.isOver, false)
  t.strictSame(warnings, [])
})

t.test('HTTP/1.0 has no upgrades, not even to a WebSocket', async (t) => {
  const { app, port } = await listen(t)
  const socket = { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  for (const headers of [{ Connection: 'Upgrade', ...socket }, H2C]) {
    const peer = await RawPeer.dial(t, port)
    peer.write(request('GET / HTTP/1.0', headers))
    t.match(await peer.over(), /^HTTP\/1.1 200 [^]*WebSocket Payment Server/)
  }
  t.equal(app.sessions.size, 0)
})

t.test('Java\'s HttpClient works with its default settings', { skip: without('javac', 'default-jdk-headless'), timeout: 120_000 }, async (t) => {
  const { url } = await listen(t)
  const { stdout } = await run('java', [join(ROOT, 'test/fixtures/JdkClient.java'), url.replace('ws:', 'http:')])
  t.strictSame(stdout.trim().split('\n'), [
    'GET / HTTP_1_1 200', 'GET /health HTTP_1_1 200', 'GET /api/rooms HTTP_1_1 200', 'GET /nope HTTP_1_1 404',
    'POST /api/rooms/jdk/events HTTP_1_1 201', 'POST /api/rooms/jdk/events HTTP_1_1 201', 'POST /api/rooms/jdk/events HTTP_1_1 201',
    'DELETE /api/rooms/jdk HTTP_1_1 204', 'socket CONNECTION_ESTABLISHED'
  ])
})

t.test('curl --http2 works', { skip: without('curl', 'curl') }, async (t) => {
  const { url } = await listen(t)
  const base = url.replace('ws:', 'http:')
  const curl = async (...args: string[]) => (await run('curl', ['-sS', '--http2', '--max-time', '60', '-o', '/dev/null', '-w', '%{http_version} %{http_code} %{num_connects}\n', ...args])).stdout.trim()
  t.equal(await curl(`${base}/health`), '1.1 200 1')
  t.equal(await curl(`${base}/`, '--next', '-sS', '--http2', '-o', '/dev/null', '-w', '%{http_version} %{http_code} %{num_connects}', `${base}/health`), '1.1 200 1\n1.1 200 0', 'twice on one connection')
  const post = ['-H', 'Content-Type: application/json', '-d', '{"type":"CLICKED_PAY","payload":{}}', `${base}/api/rooms/curl/events`]
  t.equal(await curl(...post), '1.1 201 1')
  t.equal(await curl('-H', 'Expect: 100-continue', ...post), '1.1 201 1')
  t.equal(await curl('-H', 'Transfer-Encoding: chunked', ...post), '1.1 201 1')
})
