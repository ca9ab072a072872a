// Plugin under a prefix: all its routes are below the prefix, and none is elsewhere.
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config.js'
import { paymentRooms } from '../../src/payment-rooms.js'
import { Peer } from '../peer.js'
import { authorization, createHost, KEY, listen, QUICK, SECRET } from './host.js'

for (const fastPath of ['auto', 'off'] as const) {
  t.test(`a payment works under a prefix, with the fast path ${fastPath}`, async (t) => {
    const { app } = createHost(t)
    app.register(paymentRooms, { ...QUICK, prefix: '/payments', apiKeys: [KEY], tokenSecret: SECRET, fastPath })
    const host = await listen(app)
    const post = async (path: string, body: object) => (await fetch(`http://${host}/payments/api${path}`, {
      method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: JSON.stringify(body)
    })).json() as Promise<Record<string, any>>
    const { data: { tokens } } = await post('/rooms', { roomId: 'r' })

    const [first, second] = [await Peer.connect(t, `ws://${host}/payments`), await Peer.connect(t, `ws://${host}/payments/?x=1`)]
    first.send('JOIN_ROOM', { roomId: 'r', token: tokens.device1 })
    second.send('JOIN_ROOM', { roomId: 'r', token: tokens.device2 })
    await Promise.all([first.next('ROOM_JOINED'), second.next('ROOM_JOINED')])
    second.send('ENTERED_SUMMARY', { roomId: 'r' })
    t.match(await first.next('ENTERED_SUMMARY'), { seq: 1, source: 'device' })
    t.match(await post('/rooms/r/events', { type: 'PAYMENT_SUCCESS', payload: { amount: 5 } }), { data: { seq: 2 } })
    t.match(await second.next('PAYMENT_SUCCESS'), { source: 'api' })

    for (const path of ['/', '/paymentsx', '/payment', '/payments/nothing', '/payments/health', '//payments']) {
      await t.rejects(Peer.connect(t, `ws://${host}${path}`), `no socket at ${path}`)
    }
  })
}

t.test('pages and documents name the addresses below the prefix', async (t) => {
  const { app } = createHost(t)
  app.register(paymentRooms, { ...QUICK, prefix: '/payments', playground: true, console: true })
  await app.ready()
  for (const url of ['/payments', '/payments/']) {
    t.match((await app.inject(url)).json(), { docs: '/payments/docs', endpoints: { websocket: 'GET /payments/ (Upgrade: websocket)', getRoom: 'GET /payments/api/rooms/:roomId', playground: 'GET /payments/playground', console: 'GET /payments/console' } })
  }
  const { paths, components } = (await app.inject('/payments/docs/json')).json()
  t.ok(Object.keys(paths).length > 8)
  t.strictSame(Object.keys(paths).filter((path) => !path.startsWith('/payments')), [])
  t.ok(components.schemas.ErrorResponse)
  t.equal((await app.inject('/payments/docs/asyncapi.json')).json().channels.room.address, '/payments')

  const docs = await app.inject('/payments/docs')
  const page = docs.statusCode === 302 ? await app.inject(new URL(docs.headers.location!, 'http://here/payments/docs').pathname) : docs
  t.equal(page.statusCode, 200)
  const [, script] = /<script src="([^"]+swagger-initializer\.js)"/.exec(page.body)!
  t.match((await app.inject(new URL(script!, 'http://here/payments/docs').pathname)).body, /SwaggerUIBundle/)

  const { headers: { location } } = await app.inject('/payments/playground')
  t.equal(new URL(location!, 'http://here/payments/playground').pathname, '/payments/playground/')
  for (const file of ['', 'playground.js', 'client/index.js', 'qr/index.js']) t.equal((await app.inject(`/payments/playground/${file}`)).statusCode, 200, file)
  t.equal((await app.inject('/payments/console')).headers.location, 'console/')
  for (const file of ['', 'console.js', 'access', 'i18n.js']) t.equal((await app.inject(`/payments/console/${file}`)).statusCode, 200, file)
  t.match((await app.inject('/payments/playground/client/nothing.js')).json(), { code: 'NOT_FOUND' })
  for (const url of ['/', '/health', '/docs', '/playground', '/console', '/api/rooms']) t.equal((await app.inject(url)).statusCode, 404, url)
})

t.test('a preflight is answered only below the prefix, by the origins of the plugin', async (t) => {
  const { app } = createHost(t)
  app.register(paymentRooms, { ...QUICK, prefix: '/payments', apiKeys: [KEY], allowedOrigins: ['https://a.example'] })
  await app.ready()
  const preflight = (url: string, origin = 'https://a.example') => app.inject({ method: 'OPTIONS', url, headers: { origin, 'access-control-request-method': 'POST' } })
  for (const url of ['/payments/api/rooms', '/payments/']) t.match(await preflight(url), { statusCode: 204, headers: { 'access-control-allow-origin': 'https://a.example' } }, url)
  t.notOk((await preflight('/payments/api/rooms', 'https://b.example')).headers['access-control-allow-origin'] === 'https://b.example')
  for (const url of ['/paymentsx', '/', '/other']) t.match(await preflight(url), { statusCode: 404, headers: { 'access-control-allow-origin': undefined } }, url)
})

t.test('a wrong option is refused with an error that names it', async (t) => {
  for (const [options, message] of [
    [{ tokenSecret: SECRET }, 'tokenSecret requires apiKeys: without a key every client could create tokens'],
    [{ maxRoomMember: 5 }, 'maxRoomMember is not an option'],
    [{ config: loadConfig({}), docs: false }, 'config cannot be combined with docs'],
    [{ prefix: '/shops/:shop' }, 'prefix must be a plain path such as /payments'],
    [{ prefix: '/payments/' }, 'prefix must be a plain path such as /payments'],
    [{ prefix: '/a b' }, 'prefix must be a plain path such as /payments']
  ] as const) {
    const { app } = createHost(t)
    app.register(paymentRooms, options as object)
    const error = await app.ready().then(() => undefined, (error: unknown) => error)
    t.ok(error instanceof ConfigError, message)
    t.equal((error as Error).message, message)
  }
})

t.test('a server with a low maxParamLength gets a warning in its log', async (t) => {
  const sentence = 'room ids longer than 100 characters are rejected: set routerOptions.maxParamLength to 384'
  const { app, logs } = createHost(t)
  await app.register(paymentRooms, { ...QUICK, prefix: '/payments' })
  t.equal(logs.filter(({ msg }) => msg === sentence).length, 1)
  const { app: prepared, logs: silent } = createHost(t, { routerOptions: { maxParamLength: 384 } })
  await prepared.register(paymentRooms, { ...QUICK, prefix: '/payments' })
  t.notMatch(silent.map(({ msg }) => msg).join(), 'maxParamLength')
  const id = 'r'.repeat(128)
  t.equal((await app.inject(`/payments/api/rooms/${id}`)).statusCode, 414)
  t.equal((await prepared.inject(`/payments/api/rooms/${id}`)).json().code, 'ROOM_NOT_FOUND')
})

t.test('a request body has the size limit of the plugin, not of the server', async (t) => {
  const { app } = createHost(t, { bodyLimit: 100 })
  app.register(paymentRooms, { ...QUICK, prefix: '/payments', maxMessageBytes: 1_000 })
  await app.ready()
  const post = async (length: number) => (await app.inject({ method: 'POST', url: '/payments/api/rooms/r/events', payload: { type: 'ENTERED_SUMMARY', payload: { x: 'x'.repeat(length) } } })).statusCode
  t.equal(await post(500), 201)
  t.equal(await post(1_000), 413)
})
