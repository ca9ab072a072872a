// Two nodes over one Redis behind a real nginx with the configuration in deploy/: traffic through it, a rolling restart under load, a node that dies.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { ROOT } from '../../src/root.js'
import { without } from '../installed.js'
import { Peer } from '../peer.js'
import { freePort } from '../free-port.js'
import { startRedis, withoutRedis } from '../redis.js'
import { startProcess, type ServerProcess } from '../server-process.js'
import { until } from '../until.js'
import { Client, newFigures } from './balancer-client.js'

const withoutNginx = without('nginx', 'nginx-light')

/** Load during the restart of the nodes. Each room has a watcher and a publisher. */
const LOAD = { rooms: 1_000, eventsPerSecond: 500 }
const KEY = { authorization: 'Bearer secret', 'content-type': 'application/json' }

const statusOf = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`).then(({ status }) => status, () => undefined)

/** Starts nginx in front of two ports of this machine. */
async function startNginx (t: Test, ...upstream: [number, number]): Promise<{ port: number, accessLog: () => string }> {
  const dir = mkdtempSync(join(tmpdir(), 'balancer-'))
  const port = await freePort()
  const conf = readFileSync(join(ROOT, 'deploy/nginx/nginx.conf'), 'utf8')
    .replace(/server node([12]):8080 resolve /g, (_, n: string) => `server 127.0.0.1:${upstream[Number(n) - 1]} `)
    .replace('listen 8080 ', `listen 127.0.0.1:${port} `)
    .replace('/dev/stdout', 'access.log')
  t.notMatch(conf, / node\d|listen 8080|[^:]\/dev\/|_path \//, 'all addresses belong to the test, and all paths are within its folder')
  writeFileSync(join(dir, 'nginx.conf'), conf)
  const child = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exit = once(child, 'exit')
  let errors = ''
  child.stderr.on('data', (chunk) => { errors += String(chunk) })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exit
    rmSync(dir, { recursive: true, force: true })
  })
  await until(() => `nginx answers; its output: ${errors}`, async () => await statusOf(port, '/health') !== undefined)
  return { port, accessLog: () => readFileSync(join(dir, 'access.log'), 'utf8') }
}

interface Node { readonly port: number, start: () => Promise<void>, stop: (signal: NodeJS.Signals) => Promise<number | null>, output: () => string }

/** Server process that can be started again on the same port. */
async function startNode (t: Test, redisUrl: string): Promise<Node> {
  const port = await freePort()
  const settings = { PORT: String(port), REDIS_URL: redisUrl, NODE_ENV: 'production', LOG_LEVEL: 'warn', API_KEYS: 'secret', TRUST_PROXY: 'loopback' }
  let server: ServerProcess | undefined
  let past = ''
  const output = () => past + (server?.output() ?? '')
  const start = async () => {
    past = output()
    server = startProcess(settings)
    await until(() => `the node is ready; its output: ${output()}`, async () => await statusOf(port, '/ready') === 200, 40_000)
  }
  const stop = async (signal: NodeJS.Signals) => {
    server?.child.kill(signal)
    return await server?.exit ?? null
  }
  t.teardown(() => stop('SIGKILL'))
  await start()
  return { port, start, stop, output }
}

t.test('Two nodes behind nginx', { skip: withoutRedis || withoutNginx }, async (t) => {
  // Settings as in docker-compose.yml.
  const redis = await startRedis(t, ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'])
  const [node1, node2] = await Promise.all([startNode(t, redis.url), startNode(t, redis.url)])
  const nginx = await startNginx(t, node1.port, node2.port)
  const url = `ws://127.0.0.1:${nginx.port}`
  const api = `http://127.0.0.1:${nginx.port}/api`

  t.test('Sockets, REST and streams pass, on whichever node each of them arrives', async (t) => {
    const [shop, direct1, direct2] = await Promise.all([url, `ws://127.0.0.1:${node1.port}`, `ws://127.0.0.1:${node2.port}`].map((each) => Peer.connect(t, each))) as [Peer, Peer, Peer]
    for (const peer of [shop, direct1, direct2]) await peer.join('pass')
    const response = await fetch(`${api}/rooms/pass/events`, { headers: { ...KEY, accept: 'text/event-stream' } })
    t.equal(response.status, 200)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let stream = ''
    const arrives = async (text: string) => { while (!stream.includes(text)) stream += (await reader.read()).value ?? t.fail(`the stream ended before ${text}`) }
    await arrives('ROOM_JOINED')

    direct1.send('CLICKED_PAY', { roomId: 'pass' })
    const sentAt = Date.now()
    await arrives('CLICKED_PAY')
    t.ok(Date.now() - sentAt < 5_000, 'nothing buffers the stream: an event of 100 bytes arrives at once')
    t.match(await shop.next('CLICKED_PAY'), { seq: 1 })
    t.match(await direct2.next('CLICKED_PAY'), { seq: 1 })

    const body = JSON.stringify({ eventType: 'PAYMENT_UPDATE', message: 'Processed', idSeguro: 's1' })
    const broadcast = await fetch(`${api}/message/room/pass/broadcast`, { method: 'POST', headers: KEY, body })
    t.match(await broadcast.json(), { success: true, data: { sentToClients: 4 } })
    await arrives('PAYMENT_UPDATE')
    for (const peer of [shop, direct1, direct2]) t.match(await peer.next('PAYMENT_UPDATE'), { seq: 2, source: 'api' })
    await reader.cancel()

    const post = (bytes: number) => fetch(`${api}/message/room/pass/broadcast`, { method: 'POST', headers: KEY, body: JSON.stringify({ eventType: 'X', message: 'x'.repeat(bytes), idSeguro: 's' }) })
    t.match(await (await post(17_000)).json(), { success: false, error: 'The request body is too large.' }, 'the node\'s own answer')
    t.equal((await post(40_000)).status, 413, 'nginx\'s own limit applies')
    t.equal((await fetch(`http://127.0.0.1:${nginx.port}/?token=hush`)).status, 200, 'a plain GET at the address of the sockets is answered')
    t.notMatch(nginx.accessLog(), /hush/, 'the access log holds no query')
  })

  t.test(`A rolling restart under ${2 * LOAD.rooms} sockets and ${LOAD.eventsPerSecond} events a second loses no event`, async (t) => {
    const figures = newFigures()
    const rooms = Array.from({ length: LOAD.rooms }, (_, i) => ({
      watcher: new Client(url, `load_${i}`, 'device1', figures), publisher: new Client(url, `load_${i}`, 'device2', figures)
    }))
    const clients = rooms.flatMap(({ watcher, publisher }) => [watcher, publisher])
    t.teardown(() => { for (const client of clients) client.end() })
    for (let i = 0; i < clients.length; i += 100) {
      const batch = clients.slice(i, i + 100)
      for (const client of batch) client.connect()
      await until('a batch has joined', () => batch.every(({ joined }) => joined), 40_000)
    }
    t.comment(`sockets on each node: ${await socketsOn(node1)}, ${await socketsOn(node2)}`)

    let due = 0
    const timer = setInterval(() => {
      for (const end = due + LOAD.eventsPerSecond / 20; due < end; due++) rooms[due % rooms.length]!.publisher.publish()
    }, 50)
    t.teardown(() => clearInterval(timer))
    for (const node of [node1, node2]) {
      await sleep(3_000)
      const stoppedAt = Date.now()
      t.equal(await node.stop('SIGTERM'), 0, 'the node exits by itself')
      const endedAt = Date.now()
      await node.start()
      t.comment(`stopped in ${endedAt - stoppedAt} ms, ready again ${Date.now() - endedAt} ms later`)
    }
    await sleep(3_000)
    clearInterval(timer)

    const isComplete = ({ watcher, publisher }: typeof rooms[number]) => publisher.unacknowledged.size === 0 && watcher.seen.length >= publisher.lastSeq
    const open = () => rooms.filter((room) => !isComplete(room)).map(({ watcher, publisher }) =>
      `${watcher.roomId} saw ${watcher.seen.length} of ${publisher.lastSeq}, ${publisher.unacknowledged.size} unacknowledged`)
    await until(() => `every event is acknowledged and received: ${open().slice(0, 5).join('; ')}`, () => rooms.every(isComplete), 40_000).catch((error: Error) => t.fail(error.message))
    const { violations, ...numbers } = figures
    t.comment(JSON.stringify(numbers))
    t.comment(`sockets on each node: ${await socketsOn(node1)}, ${await socketsOn(node2)}`)

    t.strictSame(violations, [], 'no gap, no id with two seqs')
    t.strictSame(numbers.declaredLost, 0)
    t.equal(numbers.acknowledged, numbers.published)
    t.strictSame(Object.keys(numbers.closes), ['1012'], 'every socket was closed with 1012, and none was cut')
    t.ok(numbers.recovered >= clients.length, 'every client had to reconnect, some twice')
    const wrong = rooms.filter(({ watcher: { seen }, publisher: { acknowledged } }) =>
      seen.length !== acknowledged.size || new Set(seen).size !== seen.length || [...acknowledged].some(([n, seq]) => seen[seq - 1] !== n))
    t.strictSame(wrong.map(({ watcher }) => watcher.roomId), [], 'each acknowledged event was received once, at its seq')
    t.notMatch((node1.output() + node2.output()).replace(/.*"the rooms are open.*\n/g, ''), /./, 'the logs hold no other warning')
  })

  t.test('When a node is killed, new handshakes go to the other at once, and its clients miss nothing', async (t) => {
    const figures = newFigures()
    await until('both nodes have closed the sockets of the earlier tests, so that new ones are shared out', async () => await socketsOn(node1) + await socketsOn(node2) === 0, 20_000)
    const watchers = Array.from({ length: 20 }, (_, i) => new Client(url, `kill_${i}`, 'device1', figures))
    t.teardown(() => { for (const client of watchers) client.end() })
    for (const client of watchers) client.connect()
    await until('all watchers joined', () => watchers.every(({ joined }) => joined))
    const [victim, other] = await socketsOn(node1) >= await socketsOn(node2) ? [node1, node2] : [node2, node1]
    const survivor = await Peer.connect(t, `ws://127.0.0.1:${other.port}`)
    await victim.stop('SIGKILL')
    let slowest = 0
    for (let i = 0; i < 20; i++) {
      const startedAt = Date.now()
      const peer = await Peer.connect(t, url)
      slowest = Math.max(slowest, Date.now() - startedAt)
      peer.socket.terminate()
      survivor.send('CLICKED_PAY', { roomId: `kill_${i}`, n: i }, `kill:${i}`)
    }
    t.ok(slowest < 1_000, `the slowest of 20 handshakes took ${slowest} ms`)
    await until('all watchers received the event of the meantime', () => watchers.every(({ seen }) => seen.length === 1))
    t.comment(`slowest handshake ${slowest} ms, longest away ${figures.longestAway} ms, closes ${JSON.stringify(figures.closes)}`)
    t.strictSame({ ...figures.violations, declaredLost: figures.declaredLost, ...figures.refusals }, { declaredLost: 0 })
    t.ok((figures.closes[1006] ?? 0) > 0, 'some clients were on the killed node')
  })
})

async function socketsOn ({ port }: Node): Promise<number> {
  const status = await fetch(`http://127.0.0.1:${port}/api/server/status`, { headers: KEY })
  return (await status.json() as { data: { totalConnections: number } }).data.totalConnections
}

/** Starts two servers that only record their requests. */
async function pretend (t: Test, answer: (request: IncomingMessage, n: number) => number): Promise<{ requests: IncomingMessage[], ports: [number, number] }> {
  const requests: IncomingMessage[] = []
  const servers = [0, 1].map(() => http.createServer((request, response) => {
    if (request.url !== '/health') requests.push(request)
    const status = answer(request, requests.length)
    if (status === 0) request.socket.destroy()
    else response.writeHead(status).end()
  }).listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  t.teardown(() => { for (const server of servers) server.close().closeAllConnections() })
  return { requests, ports: servers.map((server) => (server.address() as AddressInfo).port) as [number, number] }
}

t.test('Headers and retries of nginx', { skip: withoutNginx }, async (t) => {
  t.test('A client cannot forge its address', async (t) => {
    const { requests, ports } = await pretend(t, () => 200)
    const { port } = await startNginx(t, ...ports)
    const forged = { 'x-forwarded-for': '1.2.3.4', forwarded: 'for=1.2.3.4', 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'evil.example' }
    for (const path of ['/', '/api/rooms']) await fetch(`http://127.0.0.1:${port}${path}`, { headers: forged })
    t.equal(requests.length, 2)
    for (const { headers } of requests) {
      t.match(headers, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', host: `127.0.0.1:${port}` })
      t.notOk('forwarded' in headers || 'x-forwarded-host' in headers)
    }
  })

  const handshake = (port: number) => new Promise<number>((resolve) => {
    new WebSocket(`ws://127.0.0.1:${port}`).on('unexpected-response', (_request, { statusCode }) => resolve(statusCode!)).on('error', () => { /* it was refused */ })
  })

  t.test('When a node refuses a handshake or breaks off a GET, nginx asks the other node', async (t) => {
    const { requests, ports } = await pretend(t, ({ url, headers }, n) => url === '/health' ? 200 : n % 2 === 0 ? 404 : headers.upgrade || url!.endsWith('/events') ? 503 : 0)
    const { port } = await startNginx(t, ...ports)
    t.equal(await handshake(port), 404, 'the answer of the other node')
    t.match(requests.map(({ headers }) => headers), [{ upgrade: 'websocket', connection: 'upgrade' }, { upgrade: 'websocket', connection: 'upgrade' }])
    t.equal(await statusOf(port, '/api/rooms'), 404, 'the answer of the other node')
    t.equal(await statusOf(port, '/api/rooms/r/events'), 404, 'the answer of the other node')
    t.equal(requests.length, 6)
  })

  t.test('A POST that was sent is never sent again, and a 503 of the API is passed on', async (t) => {
    const { requests, ports } = await pretend(t, ({ url }) => url === '/health' ? 200 : url === '/busy' ? 503 : 0)
    const { port } = await startNginx(t, ...ports)
    t.equal((await fetch(`http://127.0.0.1:${port}/api/rooms`, { method: 'POST', body: '{}' })).status, 502)
    t.equal(requests.length, 1)
    for (let i = 0; i < 10; i++) t.equal(await statusOf(port, '/busy'), 503)
    t.equal(requests.length, 11, 'each request was sent once')
  })

  t.test('A POST to a node that does not listen goes to the other one, since it was never sent', async (t) => {
    const { requests, ports: [port] } = await pretend(t, () => 201)
    const nginx = await startNginx(t, await freePort(), port)
    for (let i = 0; i < 10; i++) t.equal((await fetch(`http://127.0.0.1:${nginx.port}/api/rooms`, { method: 'POST', body: '{}' })).status, 201)
    t.equal(requests.length, 10)
  })
})
