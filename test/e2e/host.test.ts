// A host that observes or limits its own server and application finds the same with the fast path and without it.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { listen, type BuildOptions, type LogLine } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

const REQUEST = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'

const countOf = (app: FastifyInstance) => new Promise<number>((resolve) => { app.server.getConnections((_error, count) => resolve(count)) })

/** Connection that has sent nothing. */
async function dial (t: Test, port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Closes the idle connections of a server. @returns which of a silent connection and one with an answered request are closed */
async function closedAsIdle (t: Test, server: Server): Promise<boolean[]> {
  const { port } = server.address() as AddressInfo
  const sockets = [await dial(t, port), await dial(t, port)]
  sockets[1]!.write(REQUEST)
  await once(sockets[1]!, 'data')
  server.closeIdleConnections()
  for (const socket of sockets) socket.resume()
  await until('the second connection is closed', () => sockets[1]!.closed)
  await sleep(50)
  return sockets.map(({ closed }) => closed)
}

/** True if the sockets of an app take the fast path, as its gauge reports. The lines of its log must agree. */
async function isFast (t: Test, app: FastifyInstance, logs: readonly LogLine[]): Promise<boolean> {
  const isFast = /^wsp_fast_path 1$/m.test((await app.inject('/metrics')).body)
  t.equal(logs.filter(({ msg }) => msg.startsWith('the fast path is off')).length, Number(!isFast), 'the log has one line if the fast path is off')
  return isFast
}

for (const FAST_PATH of ['auto', 'off'] as const) {
  const start = (t: Test, options: BuildOptions = {}) => listen(t, { ...options, env: { FAST_PATH, ...options.env } })

  t.test(`FAST_PATH=${FAST_PATH}: getConnections() counts sockets, requests and connections that are still silent, and sockets until they are closed`, async (t) => {
    const { app, logs, port, url } = await start(t)
    t.equal(await isFast(t, app, logs), FAST_PATH === 'auto')
    const [shop, phone] = [await Peer.connect(t, url), await Peer.connect(t, url)]
    const silent = await dial(t, port)
    const requesting = await dial(t, port)
    requesting.write(REQUEST)
    await once(requesting, 'data')
    t.equal(await countOf(app), 4)
    silent.destroy()
    requesting.destroy()
    shop.socket.close()
    await until('one connection is left', async () => await countOf(app) === 1)
    phone.socket.terminate()
    await until('no connection is left', async () => await countOf(app) === 0)
    t.equal(await isFast(t, app, logs), FAST_PATH === 'auto')
  })

  t.test(`FAST_PATH=${FAST_PATH}: sockets count for maxConnections, a connection above it is dropped with an event, and a closed socket makes room`, async (t) => {
    const { app, port, url } = await start(t)
    app.server.maxConnections = 2
    const drops: unknown[] = []
    app.server.on('drop', (drop) => drops.push(drop))
    const first = await Peer.connect(t, url)
    await Peer.connect(t, url)
    for (let n = 1; n <= 2; n++) {
      const refused = new WebSocket(url)
      t.match(await once(refused, 'error'), [{ message: /socket hang up|ECONNRESET/ }])
      t.match(drops[n - 1], { localPort: port, remoteAddress: '127.0.0.1' })
      t.equal(drops.length, n)
    }
    first.socket.close()
    await until('the server accepts another connection', async () => await countOf(app) === 1)
    await Peer.connect(t, url)
    t.equal(drops.length, 2)
  })

  t.test(`FAST_PATH=${FAST_PATH}: a server that is closed emits 'close' when its last socket is gone`, async (t) => {
    const { app, url } = await start(t)
    const peer = await Peer.connect(t, url)
    let isClosed = false
    const closed = once(app.server.close(), 'close').then(() => { isClosed = true })
    await peer.join('r')
    await sleep(50)
    t.notOk(isClosed)
    peer.socket.close()
    await closed
  })

  t.test(`FAST_PATH=${FAST_PATH}: closeAllConnections() closes silent connections and requests, and no socket`, async (t) => {
    const { app, port, url } = await start(t)
    const peer = await Peer.connect(t, url)
    const [silent, requesting] = [await dial(t, port), await dial(t, port)]
    requesting.write(REQUEST)
    await once(requesting, 'data')
    app.server.closeAllConnections()
    await Promise.all([silent, requesting].map(async (socket) => socket.closed || once(socket.resume(), 'close')))
    await peer.join('r')
    t.equal(await countOf(app), 1)
  })

  t.test(`FAST_PATH=${FAST_PATH}: closeIdleConnections() closes the same connections as on a plain HTTP server, and no socket`, async (t) => {
    const plain = createServer((_request, response) => response.end()).listen(0, '127.0.0.1')
    t.teardown(() => plain.close())
    await once(plain, 'listening')
    const { app, url } = await start(t)
    const peer = await Peer.connect(t, url)
    t.strictSame(await closedAsIdle(t, app.server), await closedAsIdle(t, plain))
    await peer.join('r')
  })

  t.test(`FAST_PATH=${FAST_PATH}: a listener for 'connection' receives every connection that follows, and earlier sockets stay`, async (t) => {
    const { app, logs, url } = await start(t)
    const before = await Peer.connect(t, url)
    const addresses: unknown[] = []
    app.server.on('connection', ({ remoteAddress }: Socket) => addresses.push(remoteAddress))
    await Peer.connect(t, url)
    await Peer.connect(t, url)
    t.strictSame(addresses, ['127.0.0.1', '127.0.0.1'])
    await before.join('r')
    t.notOk(await isFast(t, app, logs))
  })

  t.test(`FAST_PATH=${FAST_PATH}: a hook of the host runs before a socket opens, and may refuse it`, async (t) => {
    for (const kind of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
      const seen: string[] = []
      const { app, logs, url } = await start(t, {
        prepare: (app) => {
          app.addHook(kind as 'onRequest', async ({ raw: { headers } }, reply) => {
            seen.push(String(headers['x-device']))
            if (headers['x-device'] === 'bad') return reply.code(402).send()
          })
        }
      })
      await Peer.connect(t, url, { headers: { 'x-device': 'good' } })
      const refused = new WebSocket(url, { headers: { 'x-device': 'bad' } })
      t.match(await once(refused, 'error'), [{ message: /402/ }], kind)
      t.strictSame(seen, ['good', 'bad'])
      t.notOk(await isFast(t, app, logs))
      const lines = logs.filter(({ msg }) => msg.includes(`the application has hooks for every request: ${kind}`))
      t.equal(lines.length, Number(FAST_PATH === 'auto'), 'the log names the kind of hook')
    }
  })

  t.test(`FAST_PATH=${FAST_PATH}: a hook of the host in a context of its own does not affect sockets`, async (t) => {
    const { app, logs, url } = await start(t, {
      prepare: (app) => {
        app.register(async (child) => {
          child.addHook('onRequest', async () => t.fail('the hook runs for a socket'))
          child.get('/theirs', { config: { action: 'public' } }, async () => 'theirs')
        })
      }
    })
    await Peer.connect(t, url)
    t.equal(await isFast(t, app, logs), FAST_PATH === 'auto')
  })
}
