// Faults of clients, bugs and fatal errors with marked payloads, secrets, tokens and keys: no mark is in the log.
import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config.js'
import { createLogger } from '../src/logger.js'
import { API_KEY, FORMATS, IDEMPOTENCY_KEY, PASSWORD, PAYLOAD, publish, search, start, TOKEN_SECRET, WRONG_KEY, WRONG_TOKEN, type Server } from './log-marks.js'
import { Peer } from './peer.js'
import { startProcess } from './server-process.js'
import { until } from './until.js'

/** An error as bugs and libraries make it, with all marked values. */
const hostile = () => Object.assign(new Error('thrown by a test', { cause: new Error(JSON.stringify(PAYLOAD)) }), {
  command: { name: 'evalsha', args: [PAYLOAD, IDEMPOTENCY_KEY] }, config: { headers: { authorization: API_KEY } }, input: WRONG_TOKEN, data: TOKEN_SECRET
})

/** Sends invalid frames, bodies, keys, tokens, addresses, and bytes that are no HTTP. */
async function misbehave (t: Test, { http, url }: Server): Promise<void> {
  const text = JSON.stringify({ type: 'CLICKED_PAY', payload: PAYLOAD })
  for (const frame of [
    text.slice(0, -1), `${text}}`, PAYLOAD.cpf, JSON.stringify({ type: PAYLOAD.email, payload: PAYLOAD }), JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: PAYLOAD } }),
    JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId: 'r', token: WRONG_TOKEN } }), JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId: 'r', token: PAYLOAD.email } }),
    Buffer.from(text), `{"x":"${PAYLOAD.email.repeat(2_000)}"}`
  ]) {
    const peer = await Peer.connect(t, url)
    peer.socket.send(frame)
    peer.socket.ping(PAYLOAD.email)
    peer.socket.close(4000, PAYLOAD.email)
    await peer.closed
  }
  const json = { 'content-type': 'application/json' }
  for (const [path, init] of [
    ['/api/rooms', { method: 'POST', headers: json, body: text.slice(0, -1) }],
    ['/api/rooms', { method: 'POST', headers: { ...json, authorization: `Bearer ${API_KEY}` }, body: text.slice(0, -1) }],
    ['/api/rooms', { method: 'POST', headers: { 'content-type': 'text/plain', authorization: `Bearer ${API_KEY}` }, body: text }],
    ['/api/rooms', { method: 'POST', headers: { ...json, authorization: `Bearer ${API_KEY}` }, body: `{"x":"${PAYLOAD.email.repeat(2_000)}"}` }],
    ['/api/rooms/r/events', { method: 'POST', headers: { ...json, authorization: `Bearer ${WRONG_KEY}`, 'idempotency-key': IDEMPOTENCY_KEY }, body: text }],
    ['/api/rooms/r/events', { headers: { authorization: `Bearer ${WRONG_TOKEN}`, accept: 'text/event-stream' } }],
    [`/api/rooms/r/events?token=${WRONG_TOKEN}&key=${WRONG_KEY}&since=${PAYLOAD.cpf}`, { headers: { authorization: `Bearer ${API_KEY}` } }],
    [`/nowhere?token=${WRONG_TOKEN}&key=${API_KEY}`, {}],
    [`/api/rooms/%zz?token=${WRONG_TOKEN}`, {}],
    [`/?token=${WRONG_TOKEN}`, { method: 'PUT', body: text }]
  ] as Array<[string, RequestInit]>) await (await fetch(http + path, init)).text()
  const { port } = new URL(http)
  for (const raw of [
    `GET /?token=${WRONG_TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer ${API_KEY}\r\n\r\n`,
    `GET /nowhere?token=${WRONG_TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    `${text} HTTP/9.9\r\nAuthorization: ${API_KEY}\r\n\r\n`,
    `GET /health?key=${API_KEY} HTTP/1.1\r\n${PAYLOAD.email}\r\n\r\n`
  ]) {
    const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(raw))
    socket.on('error', () => { /* cut off */ })
    await Promise.race([once(socket, 'data'), once(socket, 'close')])
    socket.destroy()
  }
}

for (const NODE_ENV of FORMATS) {
  t.test(`${NODE_ENV}: faults of clients leave no mark in the log`, async (t) => {
    const server = await start(t, { NODE_ENV, TOKEN_SECRET })
    await misbehave(t, server)
    t.equal(await publish(server, 'r', WRONG_TOKEN), 201)
    await server.logs(/INVALID_FRAME[^]*client disconnected/, () => misbehave(t, server))
    search(t, server)
  })

  t.test(`${NODE_ENV}: bugs in the broker and in routes leave no mark in the log`, async (t) => {
    let output = ''
    const config = loadConfig({ NODE_ENV, LOG_LEVEL: 'trace', API_KEYS: API_KEY, TOKEN_SECRET, REQUESTS_PER_SECOND: '0', SHUTDOWN_GRACE_SECONDS: '2', RESULTS_FROM: 'any' })
    const app = buildApp({ config, logger: createLogger(config, { write: (line: string) => { output += line } }) })
    t.teardown(() => app.close())
    app.get('/thrown', () => { throw hostile() })
    app.get('/twice', async (_request, reply) => {
      void reply.send({ ok: true })
      return reply.send(hostile())
    })
    app.get('/logged', async ({ log, raw }, reply) => {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) {
        log[level](hostile())
        log[level]({ err: hostile(), req: raw, res: reply.raw, error: hostile() }, 'logged by a test')
        log.child({ failed: hostile() })[level]({ deep: { failed: [hostile()] }, body: Buffer.from(JSON.stringify(PAYLOAD)) }, 'failed: %s', hostile())
      }
      return { ok: true }
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as net.AddressInfo
    const http = `http://127.0.0.1:${port}`
    for (const path of ['/thrown', '/twice', '/logged']) await fetch(`${http}${path}?token=${WRONG_TOKEN}`, { headers: { authorization: `Bearer ${API_KEY}` } })
    const { token } = await app.tokens!.sign({ roomId: 'r', role: 'device2' }, 60_000)
    const rejects = async () => { throw hostile() }
    for (const broken of [rejects, () => { throw hostile() }]) {
      Object.assign(app.broker, { subscribe: broken, publish: broken, read: broken, tick: rejects })
      t.equal(await publish({ http, url: `ws://127.0.0.1:${port}` }, 'r', token), 500)
    }
    await until('the failure of the tick of the broker is logged', () => output.includes('broker maintenance failed'))
    for (const sentence of ['thrown by a test', 'request failed', 'message handling failed', 'logged by a test', 'failed: Error: thrown by a test']) t.match(output, sentence)
    search(t, { output: () => output }, [token, token.split('.')[2]!])
  })

  for (const [signal, sentence] of [['SIGTTIN', 'thrown by a test'], ['SIGTTOU', 'rejected by a test']] as const) {
    t.test(`${NODE_ENV}: an uncaught error, ${sentence}, leaves no mark in the log`, async (t) => {
      const server = await start(t, { NODE_ENV })
      server.child.kill(signal)
      t.equal(await server.exit, 1)
      t.match(server.output(), sentence)
      t.match(server.output(), 'server failed, stopping')
      search(t, server)
    })
  }

  t.test(`${NODE_ENV}: invalid settings and a port in use leave no mark in the log`, async (t) => {
    const server = startProcess({ NODE_ENV, REDIS_URL: `redis://:${PASSWORD}@h`, API_KEYS: `${API_KEY} x`, TOKEN_SECRET: WRONG_KEY, PORT: PAYLOAD.cpf, ALLOWED_ORIGINS: PAYLOAD.email }, { cwd: t.testdir({}) })
    t.equal(await server.exit, 78)
    search(t, server)
    const holder = net.createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    t.teardown(() => holder.close())
    const { port } = holder.address() as net.AddressInfo
    const other = startProcess({ NODE_ENV, PORT: String(port), REDIS_URL: `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`, API_KEYS: API_KEY, LOG_LEVEL: 'trace' }, { cwd: t.testdir({}) })
    t.equal(await other.exit, 1)
    t.match(other.output(), 'EADDRINUSE')
    search(t, other)
  })
}
