// The process: its start, its refusals, and its end.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import module from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { Peer } from '../peer.js'
import { freePort } from '../free-port.js'
import { startProcess, type ServerProcess } from '../server-process.js'
import { until } from '../until.js'

/** Starts the server with these settings and no others, nor a settings file. */
function start (t: Test, env: Record<string, string>): ServerProcess {
  const server = startProcess(env, { cwd: t.testdir({}) })
  t.teardown(() => server.child.kill('SIGKILL'))
  return server
}

const urlIn = (output: string) => /ws:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]

async function started (t: Test, env: Record<string, string>) {
  const server = start(t, { PORT: '0', ...env })
  await until(() => `the server listens; its output: ${server.output()}`, () => urlIn(server.output()) !== undefined)
  return { ...server, url: urlIn(server.output())! }
}

t.test('In development the log has the seed\'s format', async (t) => {
  const { output, child, exit } = await started(t, {})
  t.match(output(), /^\[INFO\] \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z - server started at ws:\/\/127\.0\.0\.1:\d+, API at http:/m)
  t.match(output(), /^\[INFO\] \S+ - pages at (http:\/\/127\.0\.0\.1:\d+)\/playground, \1\/console, \1\/docs$/m)
  child.kill('SIGINT')
  t.equal(await exit, 0)
})

t.test('Without pino-pretty the log is JSON in development too, and says so', async (t) => {
  /** Lets the search for the package fail with this code. */
  const failing = (code: string) => `import Module from 'node:module'
    const { _resolveFilename: resolve } = Module
    Module._resolveFilename = function (name, ...rest) {
      if (name === 'pino-pretty') throw Object.assign(new Error('Cannot find module'), { code: '${code}' })
      return resolve.call(this, name, ...rest)
    }`
  const missing = startProcess({ PORT: '0' }, { cwd: t.testdir({}), preload: failing('MODULE_NOT_FOUND') })
  t.teardown(() => missing.child.kill('SIGKILL'))
  await until(() => `the server listens; its output: ${missing.output()}`, () => urlIn(missing.output()) !== undefined)
  t.match(JSON.parse(missing.output().split('\n')[0]!), { level: 30, msg: 'log lines are JSON: for lines for people, npm install pino-pretty' })
  missing.child.kill('SIGTERM')
  t.equal(await missing.exit, 0)
  const broken = startProcess({ PORT: '0' }, { cwd: t.testdir({}), preload: failing('EACCES') })
  t.equal(await broken.exit, 1)
  t.match(broken.errors(), /EACCES/, 'a package that cannot be read is an error')
})

t.test('Compiled code is kept for the next start in the folder of the project, where Node.js can', async (t) => {
  // A folder of its own, since other tests start servers too.
  const folder = t.testdir({})
  const preload = `import module from 'node:module'
    const { enableCompileCache } = module
    module.enableCompileCache = (folder) => { console.error('cache:', folder, enableCompileCache?.(${JSON.stringify(folder)}).status) }`
  const { child, errors, exit, output } = startProcess({ PORT: '0' }, { cwd: folder, preload })
  t.teardown(() => child.kill('SIGKILL'))
  await until(() => `the server listens; its output: ${output()}`, () => urlIn(output()) !== undefined)
  child.kill('SIGTERM')
  t.equal(await exit, 0)
  const { enableCompileCache, constants } = module as { enableCompileCache?: unknown, constants?: { compileCacheStatus: { ENABLED: number } } }
  t.match(errors(), `cache: ${join(ROOT, 'node_modules/.cache/ws-payment-server')} ${enableCompileCache && constants?.compileCacheStatus.ENABLED}\n`)
  t.equal(readdirSync(folder, { recursive: true }).length > 10, enableCompileCache !== undefined, 'where Node.js can')
})

t.test('PORT and NODE_ENV=production set the port and JSON lines', async (t) => {
  const port = await freePort()
  const { url, output } = await started(t, { PORT: String(port), NODE_ENV: 'production' })
  t.equal(url, `ws://127.0.0.1:${port}`)
  const lines = output().trim().split('\n').map((line) => JSON.parse(line) as { level: number, msg: string })
  t.match(lines, [{ level: 30, msg: /^rooms are in memory alone/ }, { level: 40, msg: /^the rooms are open/ }, { level: 40, msg: /^the API is open/ }, { level: 30, msg: /^server started/ }, { level: 30, msg: `pages at ${url.replace('ws:', 'http:')}/docs` }])
})

t.test('A bad setting prints one line that names variable and rule, never the value, and exits with 78', async (t) => {
  const { output, exit } = start(t, { PORT: 'hunter2', ROOM_LOG_SIZE: '0' })
  t.equal(await exit, 78)
  t.equal(output(), 'settings: PORT must be integer; ROOM_LOG_SIZE must be >= 1\n')
})

t.test('A port in use is logged in one line that says what to do, and the process exits with 1', async (t) => {
  const holder = net.createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  t.teardown(() => holder.close())
  const { port } = holder.address() as net.AddressInfo
  const { output, exit } = start(t, { PORT: String(port) })
  t.equal(await exit, 1)
  const fatal = output().split('\n').filter((line) => line.startsWith('[FATAL]'))
  t.match(fatal, [new RegExp(`port ${port} is in use: stop the process that listens on it, or set PORT to another port .*EADDRINUSE`)])
  t.notMatch(output(), /^ +at /m, 'there is no stack')
})

t.test('On SIGTERM under load every client gets a close code, and the process exits with 0 within the grace', async (t) => {
  const { url, child, exit, output } = await started(t, { NODE_ENV: 'production', SHUTDOWN_GRACE_SECONDS: '10', MESSAGES_PER_SECOND: '0' })
  const pairs = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const [shop, phone] = await Promise.all([Peer.connect(t, url), Peer.connect(t, url)])
    await shop.join(`payment_${n}`)
    return { n, shop, phone }
  }))
  const [host, port] = url.slice('ws://'.length).split(':')
  const deaf = net.connect(Number(port), host)
  t.teardown(() => deaf.destroy())
  deaf.on('error', () => { /* cut off at the end of the grace */ })
  deaf.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  await once(deaf, 'data')
  deaf.pause()

  const load = { running: true }
  const sending = (async () => {
    for (let i = 0; load.running && i < 100_000; i++) {
      for (const { n, phone } of pairs) if (phone.socket.readyState === phone.socket.OPEN) phone.send('CLICKED_PAY', { roomId: `payment_${n}` })
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })()
  await until('events flow', () => pairs.every(({ shop }) => shop.events.length > 5))
  child.kill('SIGTERM')
  const codes = await Promise.all(pairs.flatMap(({ shop, phone }) => [shop.closed, phone.closed]))
  load.running = false
  await sending
  t.strictSame([...new Set(codes)], [1012])
  t.equal(await exit, 0)
  t.match(output(), /"server stopped"/)
  for (const { shop } of pairs) t.strictSame(shop.events.map(({ seq }) => seq), shop.events.map((_, i) => i + 1), 'events are in order, without a gap')
})

t.test('A second signal during the drain makes the process exit with 1 at once', async (t) => {
  const { url, child, exit, output } = await started(t, { NODE_ENV: 'production', SHUTDOWN_GRACE_SECONDS: '60' })
  const phone = await Peer.connect(t, url)
  // The peer does not answer the close frame, so the drain waits for it.
  phone.socket.pause()
  child.kill('SIGINT')
  await until('the server drains', () => output().includes('server stopping'))
  child.kill('SIGTERM')
  t.equal(await exit, 1)
  t.match(output(), /"server stopping"[^]*"second SIGTERM, exiting"/)
  t.notMatch(output(), /"server stopped"/)
})

t.test('On SIGTERM with endless requests, and a stream and a socket without a reader, the process exits with 0 within the grace', async (t) => {
  const { url, child, exit, output } = await started(t, { NODE_ENV: 'production', OUTBOX_MAX_BYTES: '100000000', MESSAGES_PER_SECOND: '0' })
  const [host, port] = url.slice('ws://'.length).split(':')
  const open = async (text: string) => {
    const socket = net.connect(Number(port), host)
    t.teardown(() => socket.destroy())
    socket.on('error', () => { /* cut off, as it should be */ })
    await once(socket, 'connect')
    socket.write(text)
    return socket
  }
  const stream = await open('GET /api/rooms/r/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n')
  await once(stream, 'data')
  stream.pause()
  await open('POST /api/rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
  await open('GET /health HTTP/1.1\r\nHo')
  await open('')
  const phone = await Peer.connect(t, url)
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  const deaf = await Peer.connect(t, url)
  await deaf.join('r')
  deaf.socket.pause()
  // More data than the network buffers hold, so that even the close frame has to wait.
  const padding = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`p${i}`, 'x'.repeat(2000)]))
  for (let i = 0; i < 14; i++) {
    for (let j = 0; j < 50; j++) phone.send('CLICKED_PAY', { roomId: 'r', ...padding })
    await phone.settled()
  }
  child.kill('SIGTERM')
  t.equal(await phone.closed, 1012)
  t.equal(await exit, 0)
  t.match(output(), /"server stopping"[^]*"server stopped"/)
  t.notMatch(output(), /killed by timeout/)
})
