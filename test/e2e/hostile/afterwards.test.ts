// Leaks after many hostile rounds: the server holds no more than before, and its log holds no secret.
import { existsSync, readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Test } from 'tap'
import t from 'tap'
import { listen } from '../../build.js'
import { Peer } from '../../peer.js'
import { until } from '../../until.js'
import { backTo, forEach, openThings, Payment, type Server } from './bystanders.js'
import { BINARY, CLOSE, closing, fragments, frame, handshake, PING, RawPeer, request } from './raw.js'

const ROUNDS = 200
/** Rounds until all code is compiled and all caches are filled; the memory used after them is the baseline. */
const WARM_UP = 40
/** Rounds at one time. */
const AT_ONCE = 6
/** Allowed growth of the heap by all rounds together, bytes. They make some 5,000 connections. */
const HEAP_ALLOWANCE = 5e6

/** Text in every place where a client can put one: payloads, bodies, headers, queries, reasons. */
const SECRET = 'do-not-log-me'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as (() => void) | undefined

const event = (payload: object, type = 'CLICKED_PAY') => JSON.stringify({ type, payload: { note: SECRET, ...payload } })
const dots = Buffer.alloc(17_000, '.')

/** Misuses of an open socket, which is then left, or closed. */
const ON_A_SOCKET: Buffer[][] = [
  [frame(event({ roomId: 'r' }), { masked: false })],
  [frame(event({ roomId: 'r' }), { rsv: 4 })],
  [frame(event({ roomId: 'r' }), { opcode: BINARY })],
  [frame(SECRET, { opcode: PING, fin: false })],
  [frame(closing(1005, SECRET), { opcode: CLOSE })],
  [frame(closing(1000, SECRET), { opcode: CLOSE })],
  [frame(Buffer.from([0x22, 0xc0, 0xaf]))],
  [frame(dots)],
  [frame('{', { announced: 2n ** 63n })],
  fragments(Array.from({ length: 300 }, () => Buffer.from('.'))),
  [frame(event({ roomId: 'r' })), frame(event({ roomId: 'r', amount: -1 }, 'PAYMENT_SUCCESS')), frame(`{"__proto__":"${SECRET}"}`), frame(SECRET), frame(event({}, SECRET))]
]

const json = { 'Content-Type': 'application/json', Authorization: `Bearer ${SECRET}` }
const post = (body: string, headers = {}) => request('POST /api/message/room/r/broadcast HTTP/1.1', { Connection: 'close', ...json, 'Content-Length': String(body.length), ...headers }, body)
/** Requests that the server refuses. */
const REQUESTS = [
  handshake({ 'Sec-WebSocket-Version': '7', 'Sec-WebSocket-Protocol': SECRET }),
  handshake({ 'Sec-WebSocket-Protocol': `${SECRET}, ${SECRET}` }),
  handshake({ Upgrade: SECRET, Connection: 'Upgrade, close' }),
  handshake({}, `GET /%E0%A4%A?token=${SECRET} HTTP/1.1`),
  handshake({}, `GET /health?token=${SECRET} HTTP/1.1`),
  handshake({ X: `${SECRET}${'x'.repeat(17_000)}` }),
  post(`{"message":"${SECRET}`),
  post(`{"eventType":"ERROR","message":"${SECRET}","idSeguro":"${SECRET}"}`),
  post(SECRET, { 'Transfer-Encoding': 'chunked' }),
  post(`"${SECRET}${'x'.repeat(17_000)}"`),
  request(`GET /api/rooms/${SECRET}%00?token=${SECRET} HTTP/1.1`, { Connection: 'close', Authorization: `Bearer ${SECRET}` }),
  `${SECRET}\r\n\r\n`
]

/** Sends each request once, on a connection of its own, beside a device that joins and vanishes and a stream that is dropped. */
async function round ({ url, port }: Server, n: number): Promise<void> {
  const ends: Array<() => unknown> = []
  // Resources that a test holds until its end would look like resources that the server holds.
  const t = { teardown: (end: () => unknown) => { ends.push(end) } } as unknown as Test
  await Promise.all([
    ...ON_A_SOCKET.map(async (frames, i) => {
      const peer = await RawPeer.open(t, port)
      peer.write(...frames)
      if ((n + i) % 3 === 0) return
      if (i < ON_A_SOCKET.length - 1) await peer.closeFrame()
      else await peer.next('ERROR')
    }),
    ...REQUESTS.map(async (bytes, i) => {
      const peer = await RawPeer.dial(t, port)
      const isWhole = (n + i) % 3 !== 0
      peer.write(isWhole ? bytes : bytes.slice(0, Math.floor(bytes.length / 2)))
      if (isWhole) await peer.over()
    }),
    (async () => {
      const peer = await Peer.connect(t, url)
      await peer.join(`room_${n % 10}`)
    })(),
    (async () => {
      const peer = await RawPeer.dial(t, port)
      peer.write(request('GET /api/rooms/streamed/events HTTP/1.1', { Accept: 'text/event-stream' }))
      await until('the stream begins', () => peer.answer.includes('ROOM_JOINED'))
    })()
  ])
  for (const end of ends) end()
}

const descriptors = () => existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : undefined

function heap (): number {
  collectGarbage?.()
  return process.memoryUsage().heapUsed
}

t.test(`After ${ROUNDS} hostile rounds the server holds no more than before, and its log is clean`, async (t) => {
  const server = await listen(t, { env: { ROOM_RETENTION_SECONDS: '1' } })
  const { app, logs } = server
  const warnings: string[] = []
  const warn = ({ message }: Error) => { warnings.push(message) }
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const payment = await Payment.begin(t, server.url)
  const before = openThings(server)
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
  const settle = async (what: string) => {
    await backTo(before, server)
    await until('the empty rooms are gone', async () => {
      const page = await app.broker.listRooms({ limit: 10 })
      return 'rooms' in page && page.rooms.length === 1
    })
    await payment.goesOn(t, what)
    t.strictSame(logs.filter(({ level, msg }) => level >= 40 && !/^the (API is|rooms are) open/.test(msg)), [], `no warning is logged: ${what}`)
    t.notOk(logs.some((line) => JSON.stringify(line).includes(SECRET)), `no text of clients is logged: ${what}`)
    logs.length = 0
  }

  await forEach(numbers(0, WARM_UP), (n) => round(server, n), AT_ONCE)
  await settle('after the warm-up')
  const [heapBefore, descriptorsBefore] = [heap(), descriptors()]
  await forEach(numbers(WARM_UP, WARM_UP + ROUNDS), (n) => round(server, n), AT_ONCE)
  await settle('after all rounds')

  t.strictSame(openThings(server), before)
  t.strictSame(warnings, [], 'Node emits no warning, such as for listeners that pile up')
  if (descriptorsBefore === undefined) t.comment('descriptors are not counted: there is no /proc/self/fd here')
  else await until(() => `${descriptorsBefore} descriptors again; there are ${descriptors()}`, () => descriptors()! <= descriptorsBefore)
  if (!collectGarbage) t.comment('memory is not measured: this engine does not expose its garbage collector')
  else {
    const left = heap() - heapBefore
    t.ok(left < HEAP_ALLOWANCE, `${Math.round(left / 1024)} KiB are left on the heap`)
  }
})
