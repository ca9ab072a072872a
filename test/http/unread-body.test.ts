// Errors that are answered before the request has arrived: the client gets the answer, whole and without a reset, even if it writes on and reads only then.
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { listen } from '../build.js'
import { request } from '../e2e/hostile/raw.js'
import { until } from '../until.js'

const PIECE = 'x'.repeat(64 * 1024)
/** More than the buffers of both ends take in: the client is still writing when the answer is there. */
const PIECES = 160
const LENGTH = PIECE.length * PIECES
const JSON_TYPE = { 'Content-Type': 'application/json' }
const KEY = { Authorization: 'Bearer key', ...JSON_TYPE }

const CASES: Array<[what: string, status: number, line: string, headers: Record<string, string>]> = [
  ['a body that is too large', 413, 'POST /api/rooms HTTP/1.1', KEY],
  ['no key', 401, 'POST /api/rooms HTTP/1.1', JSON_TYPE],
  ['a type that is not JSON', 415, 'POST /api/rooms HTTP/1.1', { ...KEY, 'Content-Type': 'text/plain' }],
  ['no route', 404, 'POST /nothing HTTP/1.1', { 'Content-Type': 'text/plain' }],
  ['a malformed address', 400, 'POST /api/rooms/%zz/events HTTP/1.1', KEY],
  ['an expectation', 417, 'POST /api/rooms HTTP/1.1', { ...KEY, Expect: 'x' }]
]

/** A client that goes on writing after the server has closed its side. */
function client (t: Test, port: number) {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  const errors: Error[] = []
  const received: Buffer[] = []
  socket.on('error', (error) => errors.push(error)).on('data', (bytes) => received.push(bytes))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const ended = new Promise((resolve) => socket.once('end', resolve))
  return { socket, errors, closed, answer: async () => { await Promise.race([ended, closed]); return Buffer.concat(received).toString() } }
}

for (const [what, status, line, headers] of CASES) {
  for (const connection of ['close', 'keep-alive']) {
    for (const length of [{ 'Content-Length': String(LENGTH) }, { 'Transfer-Encoding': 'chunked' }] as const) {
      t.test(`${what}, ${Object.keys(length)[0]}, Connection: ${connection}`, async (t) => {
        const { port } = await listen(t, { env: { API_KEYS: 'key' } })
        const { socket, errors, closed, answer } = client(t, port)
        const piece = 'Content-Length' in length ? PIECE : `${PIECE.length.toString(16)}\r\n${PIECE}\r\n`
        socket.write(request(line, { ...headers, ...length, Connection: connection }))
        for (let i = 0; i < PIECES && errors.length === 0; i++) {
          if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed])
          await turn()
        }
        socket.end('Content-Length' in length ? '' : '0\r\n\r\n')
        t.match(await answer(), new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\n{[^]*}$`))
        t.strictSame(errors, [])
      })
    }
  }
}

for (const [what, status, begin] of [['headers that are too large', 431, 'GET / HTTP/1.1\r\nHost: a\r\nX: '], ['bytes that are no HTTP', 400, 'x\r\n\r\n']] as const) {
  t.test(`${what} are answered while more of them arrive`, async (t) => {
    const { port } = await listen(t)
    const { socket, answer } = client(t, port)
    socket.write(begin)
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => socket.write(PIECE, resolve))
      await turn()
    }
    socket.end()
    t.match(await answer(), new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\n{[^]*}$`))
  })
}

t.test('a client that stops in the middle of the body is closed with its side', async (t) => {
  const { app, port } = await listen(t)
  const { socket, answer } = client(t, port)
  socket.write(request('POST /api/rooms HTTP/1.1', { ...JSON_TYPE, 'Content-Length': String(LENGTH) }, PIECE))
  t.match(await answer(), /^HTTP\/1.1 413 /)
  const connections = promisify(app.server.getConnections.bind(app.server))
  t.equal(await connections(), 1)
  socket.end()
  await until('the server has closed it', async () => await connections() === 0)
})
