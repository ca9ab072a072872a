// Plugin beside routes, sockets and plugins of its host: neither changes the other.
import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { WebSocket } from 'ws'
import { paymentRooms } from '../../src/payment-rooms.js'
import { ROOT } from '../../src/root.js'
import { Peer } from '../peer.js'
import { createHost, KEY, listen, QUICK, SECRET, type Host } from './host.js'

const WAYS = ['auto', 'off'] as const

/** Answer of an echoing socket to `hello`. */
async function echo (t: Test, url: string): Promise<string> {
  const socket = new WebSocket(url)
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  socket.send('hello')
  return String((await once(socket, 'message'))[0])
}

/** Sends raw bytes. @returns the answer, up to the end of the connection or a match */
async function exchange (t: Test, host: string, text: string, until: RegExp): Promise<string> {
  const socket = net.connect(Number(host.split(':')[1]), '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(text)
  let received = ''
  for await (const chunk of socket) {
    received += String(chunk)
    if (until.test(received)) break
  }
  return received
}

const UPGRADE = 'Host: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

/** Adds an echoing socket to a host. */
async function echoes (app: FastifyInstance): Promise<void> {
  app.get('/echo', { websocket: true }, (socket) => { socket.on('message', (data) => socket.send(`echo: ${String(data)}`)) })
}

const warnings = ({ logs }: Host) => logs.filter(({ level }) => level >= 40).map(({ msg }) => msg).filter((msg) => !/^the (API|rooms) (is|are) open|^room ids longer/.test(msg))

/** Places where a host registers its own sockets, relative to the plugin. */
const ORDERS: Record<string, (app: FastifyInstance, register: () => void) => void> = {
  'before the plugin': (app, register) => {
    app.register(websocket)
    app.register(echoes)
    register()
  },
  'after the plugin': (app, register) => {
    register()
    app.register(websocket)
    app.register(echoes)
  },
  'in a context of their own': (app, register) => {
    app.register(async (sockets) => {
      await sockets.register(websocket)
      await sockets.register(echoes)
    })
    register()
  }
}

for (const [when, arrange] of Object.entries(ORDERS)) {
  for (const fastPath of WAYS) {
    t.test(`sockets of the host, registered ${when}, work beside the plugin, with the fast path ${fastPath}`, async (t) => {
      const host = createHost(t)
      const { app } = host
      arrange(app, () => app.register(paymentRooms, { ...QUICK, prefix: '/payments', fastPath, maxConnectionsPerIp: 2 }))
      const address = await listen(app)
      const [first, second] = [await Peer.connect(t, `ws://${address}/payments`), await Peer.connect(t, `ws://${address}/payments/`)]
      await first.join('r')
      await second.join('r')
      second.send('ENTERED_SUMMARY', { roomId: 'r' })
      await first.next('ENTERED_SUMMARY')
      t.equal(await echo(t, `ws://${address}/echo`), 'echo: hello')

      const refused = await exchange(t, address, `GET /payments HTTP/1.1\r\n${UPGRADE}`, /never/)
      t.match(refused, /^HTTP\/1\.1 429 [^]*"code":"RATE_LIMITED"/, 'a refused handshake is answered by the plugin, and its connection ends')
      t.match(await exchange(t, address, `GET /payments HTTP/1.1\r\n${UPGRADE.replace('13', '8')}`, /never/), /^HTTP\/1\.1 400 [^]*sec-websocket-version: 13/i)
      // A shared context gives every request a hook of @fastify/websocket, which sockets on the fast path would not run.
      const expected = fastPath === 'off' || when.includes('own') ? [] : [/^the fast path is off.+hooks for every request: onRequest/]
      t.match(warnings(host), expected)
      t.equal(warnings(host).length, expected.length, 'and no other warning')

      first.socket.close()
      await first.closed
      await app.close()
      t.equal(await second.closed, 1012, 'a closing app closes the socket with 1012')
    })
  }
}

for (const fastPath of WAYS) {
  t.test(`two plugins on one server, under two prefixes, are separate, with the fast path ${fastPath}`, async (t) => {
    const host = createHost(t)
    for (const prefix of ['/shop', '/shop2']) host.app.register(paymentRooms, { ...QUICK, prefix, fastPath, ...(prefix === '/shop2' && { apiKeys: [KEY] }) })
    const address = await listen(host.app)
    const [first, second] = [await Peer.connect(t, `ws://${address}/shop`), await Peer.connect(t, `ws://${address}/shop2/`)]
    for (const peer of [first, second]) await peer.join('r')
    first.send('ENTERED_SUMMARY', { roomId: 'r' })
    await first.settled()
    await second.settled()
    t.strictSame(second.events, [], 'rooms with the same id are separate')
    t.equal((await host.app.inject('/shop/api/server/status')).json().data.totalConnections, 1)
    t.equal((await host.app.inject('/shop2/api/server/status')).statusCode, 401, 'each plugin has its own keys')
    t.match(await exchange(t, address, `GET /shop2/nothing HTTP/1.1\r\n${UPGRADE}`, /\}$/), /^HTTP\/1\.1 404 [^]*"code":"NOT_FOUND"/)
    t.strictSame(warnings(host), [])
    await host.app.close()
    t.strictSame([await first.closed, await second.closed], [1012, 1012])
  })
}

t.test('two servers in one process have separate rooms', async (t) => {
  const peers: Peer[] = []
  for (const { app } of [createHost(t), createHost(t)]) {
    app.register(paymentRooms, { ...QUICK, prefix: '/payments' })
    peers.push(await Peer.connect(t, `ws://${await listen(app)}/payments`))
  }
  for (const peer of peers) await peer.join('r')
  peers[0]!.send('ENTERED_SUMMARY', { roomId: 'r' })
  await peers[0]!.settled()
  await peers[1]!.settled()
  t.strictSame(peers[1]!.events, [])
})

t.test('an upgrade to another address is left to the host', async (t) => {
  t.test('a host without sockets answers an upgrade as a plain request', async (t) => {
    const { app } = createHost(t)
    app.get('/hello', async () => 'hello')
    app.register(paymentRooms, { ...QUICK, prefix: '/payments' })
    const address = await listen(app)
    for (const path of ['/hello', '/hello?x']) t.match(await exchange(t, address, `GET ${path} HTTP/1.1\r\n${UPGRADE}`, /hello$/), /^HTTP\/1\.1 200 [^]*hello$/)
    t.match(await exchange(t, address, `GET /payments/nothing HTTP/1.1\r\n${UPGRADE}`, /\}$/), /^HTTP\/1\.1 404 [^]*"code":"NOT_FOUND"/)
  })

  t.test('a listener of the host gets other upgrades, and remains when the plugin closes', async (t) => {
    const { app } = createHost(t)
    const urls: string[] = []
    const listener = ({ url }: { url?: string }, socket: net.Socket) => {
      if (url === '/payments') return
      urls.push(url!)
      socket.end('HTTP/1.1 418 \r\n\r\n')
    }
    app.server.on('upgrade', listener)
    app.register(paymentRooms, { ...QUICK, prefix: '/payments', fastPath: 'off' })
    const address = await listen(app)
    for (const path of ['/other', '/payments/nothing', '/']) t.match(await exchange(t, address, `GET ${path} HTTP/1.1\r\n${UPGRADE}`, /never/), /^HTTP\/1\.1 418/)
    await Peer.connect(t, `ws://${address}/payments`)
    t.strictSame(urls, ['/other', '/payments/nothing', '/'])
    await app.close()
    t.strictSame(app.server.listeners('upgrade'), [listener])
  })
})

t.test('an upgrade behind another request in one packet is answered, even if the host routes upgrades', async (t) => {
  const { app } = createHost(t)
  app.register(websocket)
  app.get('/slow', async () => await new Promise((resolve) => { setTimeout(() => resolve('slow'), 50) }))
  app.register(paymentRooms, { ...QUICK, prefix: '/payments' })
  const address = await listen(app)
  const answers = await exchange(t, address, `GET /slow HTTP/1.1\r\nHost: here\r\n\r\nGET /payments HTTP/1.1\r\n${UPGRADE}`, /CONNECTION_ESTABLISHED/)
  t.match(answers, /^HTTP\/1\.1 200 [^]*slowHTTP\/1\.1 101 [^]*CONNECTION_ESTABLISHED/)
})

/** Gives a host plugins, decorators and settings of its own, most of them under names that the plugin uses as well. */
async function furnish (app: FastifyInstance): Promise<void> {
  const loose = app as unknown as Record<'decorate' | 'decorateRequest' | 'decorateReply', (name: string, value: unknown) => void>
  await app.register(helmet, { contentSecurityPolicy: false })
  await app.register(cors, { origin: 'https://host.example' })
  await app.register(swagger, { openapi: { info: { title: 'Host', version: '1' } } })
  await app.register(fastifyStatic, { root: ROOT, serve: false })
  await app.register(websocket)
  for (const name of ['config', 'rooms', 'broker', 'metrics', 'sessions', 'now']) loose.decorate(name, `host's ${name}`)
  loose.decorateRequest('claims', null)
  loose.decorateRequest('credentials', null)
  loose.decorateReply('fail', function (this: { send: (body: string) => unknown }) { return this.send('failed by the host') })
  app.addSchema({ $id: 'ErrorResponse', type: 'string' })
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, { parsed: body }))
  app.setErrorHandler((error, _request, reply) => reply.code(500).send(`handled by the host: ${(error as Error).message}`))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send('not found by the host'))
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (data) => `serialised by the host: ${JSON.stringify(data)}`)
}

function addRoutes (app: FastifyInstance): void {
  app.get('/throws', async () => { throw new Error('oops') })
  app.post('/body', async ({ body }) => body)
  app.post('/text', async ({ body }) => body)
  app.get('/fails', async (_request, reply) => (reply as unknown as { fail: () => unknown }).fail())
  app.get('/schema', { schema: { response: { 200: app.getSchema('ErrorResponse') ?? { type: 'string' } } } }, async () => 'x')
  app.get('/number', { schema: { querystring: { type: 'object', properties: { n: { type: 'integer' } } } } }, async ({ query }) => query)
}

const REQUESTS = [
  { url: '/throws' }, { url: '/nothing' }, { method: 'POST', url: '/body', payload: { a: 1 } }, { method: 'POST', url: '/text', payload: 'text', headers: { 'content-type': 'text/plain' } },
  { url: '/fails' }, { url: '/schema' }, { url: '/number?n=5' }, { url: '/number?n=x' }, { url: '/paymentsx' }, { method: 'OPTIONS', url: '/paymentsx' },
  { method: 'OPTIONS', url: '/paymentsx', headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' } }, { method: 'POST', url: '/body', payload: '{', headers: { 'content-type': 'application/json' } }
] as const

/** Status, headers but the date, and body of each answer. */
async function answersOf (t: Test, { furnished, withPlugin, ...options }: FastifyServerOptions & { furnished: boolean, withPlugin: boolean }): Promise<object[]> {
  const { app } = createHost(t, options)
  if (furnished) await furnish(app)
  if (withPlugin) app.register(paymentRooms, { ...QUICK, prefix: '/payments', apiKeys: [KEY], allowedOrigins: ['https://a.example'] })
  addRoutes(app)
  await app.ready()
  const answers: object[] = []
  for (const request of REQUESTS) {
    const { statusCode, body, headers: { date, ...headers } } = await app.inject(request as { url: string })
    answers.push({ request, statusCode, body: furnished ? body : body.replace(/req-\w+/, ''), headers })
  }
  return answers
}

for (const furnished of [false, true]) {
  t.test(`the answers of a ${furnished ? 'furnished' : 'bare'} host are the same with the plugin as without it`, async (t) => {
    const expected = await answersOf(t, { furnished, withPlugin: false })
    t.strictSame(await answersOf(t, { furnished, withPlugin: true }), expected)
  })
}

t.test('within a furnished host the plugin answers as it does alone', async (t) => {
  const { app } = createHost(t)
  await furnish(app)
  app.register(paymentRooms, { ...QUICK, prefix: '/payments', apiKeys: [KEY], tokenSecret: SECRET, playground: true })
  const address = await listen(app)
  const headers = { authorization: `Bearer ${KEY}` }
  const post = (payload: string | object, type = 'application/json') => app.inject({ method: 'POST', url: '/payments/api/rooms', payload, headers: { ...headers, 'content-type': type } })
  t.match((await post({ roomId: 'r' })).json(), { success: true, data: { roomId: 'r', tokens: { device1: String } } })
  t.match((await post({ roomId: '' })).json(), { code: 'INVALID_REQUEST', details: [{ key: 'roomId' }] })
  t.match((await post('{')).json(), { code: 'INVALID_JSON' })
  t.match((await post('x', 'text/plain')).json(), { code: 'UNSUPPORTED_MEDIA_TYPE' })
  t.match((await app.inject({ url: '/payments/api/rooms?limit=1', headers })).json(), { data: { rooms: [{ roomId: 'r' }] } })
  t.match((await app.inject('/payments/api/rooms')).json(), { code: 'UNAUTHORIZED' })
  t.match((await app.inject('/payments/nothing')).json(), { code: 'NOT_FOUND' })
  t.match((await app.inject('/payments/health')).headers['content-security-policy'], /script-src 'self'/)
  for (const file of ['', 'playground.js', 'client/index.js', 'qr/index.js']) t.equal((await app.inject(`/payments/playground/${file}`)).statusCode, 200, file)
  const document = (await app.inject('/payments/docs/json')).json()
  t.equal(document.info.title, 'WebSocket Payment Server')
  t.equal(document.components.schemas.ErrorResponse.type, 'object', 'the document has the schema of the plugin')
  t.equal(app.swagger().info.title, 'Host')
  t.match((app as unknown as { config: unknown }).config, 'host\'s config')
  await Peer.connect(t, `ws://${address}/payments`)
})
