// Guards of routes: every route declares an action, and without a key only public routes answer.
import t from 'tap'
import type { RouteOptions } from 'fastify'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config.js'
import { createLogger } from '../../src/logger.js'
import { paymentRooms } from '../../src/payment-rooms.js'
import { authorization, createHost, KEY, QUICK, SECRET } from './host.js'

/** Public routes below the prefix, and no others. Webhooks are verified by their signatures. */
const PUBLIC = [
  'GET /', 'GET / upgrade', 'GET /client.js', 'GET /console', 'GET /console/*', 'GET /docs', 'GET /docs/*', 'GET /docs/asyncapi.json', 'GET /docs/asyncapi.yaml',
  'GET /health', 'GET /payment-status.js', 'GET /playground', 'GET /playground/*', 'GET /playground/client/:name(^[a-z-]+).js', 'GET /playground/qr/index.js',
  'GET /ready', 'OPTIONS *', 'POST /webhooks/:provider', 'POST /webhooks/pix/pix'
]

const nameOf = ({ method, url, constraints }: RouteOptions, prefix: string) => `${String(method)} ${url.slice(prefix.length) || '/'}${constraints?.upgrade ? ' upgrade' : ''}`
const addressOf = (url: string) => url.replace(/:name\([^)]*\)/, 'index').replace(':roomId', 'r').replace('*', 'x')

for (const prefix of ['', '/payments']) {
  t.test(prefix === '' ? 'without a key only public routes answer' : `without a key only public routes answer under ${prefix}`, async (t) => {
    const settings = { API_KEYS: KEY, TOKEN_SECRET: SECRET, REQUESTS_PER_SECOND: '0', PLAYGROUND: 'true', CONSOLE: 'true' }
    const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent', ...settings })
    const app = prefix === '' ? buildApp({ config, logger: createLogger(config) }) : createHost(t).app
    t.teardown(() => app.close())
    const routes: RouteOptions[] = []
    app.addHook('onRoute', (route) => { routes.push({ ...route }) })
    if (prefix !== '') app.register(paymentRooms, { prefix, config })
    await app.ready()

    const answered = new Map<string, number>()
    for (const route of routes) {
      const headers = route.constraints?.upgrade ? { connection: 'upgrade', upgrade: 'websocket' } : {}
      for (const method of [route.method].flat() as Array<'GET'>) {
        const { statusCode } = await app.inject({ method, url: addressOf(route.url), headers })
        answered.set(nameOf({ ...route, method }, prefix), statusCode)
      }
    }
    t.ok(answered.size > 25, `${answered.size} routes`)
    const guarded = [...answered].filter(([, status]) => status === 401).map(([name]) => name)
    const open = [...answered].filter(([name, status]) => status !== 401 && !name.startsWith('HEAD ')).map(([name]) => name)
    t.strictSame([...new Set(open)].sort(), PUBLIC)
    t.ok(guarded.includes('GET /metrics') && guarded.includes('POST /api/rooms') && guarded.includes('DELETE /api/rooms/:roomId'))
    for (const [name, status] of answered) if (name.startsWith('HEAD ')) t.equal(status === 401, guarded.includes(name.replace('HEAD', 'GET')), name)
    t.equal((await app.inject({ url: `${prefix}/api/rooms`, headers: { authorization } })).statusCode, 200, 'a request with a key is answered')
  })
}

t.test('a route that declares no action is refused at registration', async (t) => {
  const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent' })
  const app = buildApp({ config, logger: createLogger(config) })
  t.teardown(() => app.close())
  await app.after()
  t.throws(() => app.get('/undeclared', async () => 'open'), { message: 'the route GET /undeclared declares no action' })
  t.doesNotThrow(() => app.get('/declared', { config: { action: 'public' } }, async () => 'open'))
})

t.test('a route that is older than the guard needs a key with all permissions', async (t) => {
  const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent', API_KEYS: `${KEY},read:reader` })
  const app = buildApp({ config, logger: createLogger(config) })
  t.teardown(() => app.close())
  app.get('/before', async () => 'ok')
  const status = async (key?: string) => (await app.inject({ url: '/before', headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })).statusCode
  t.equal(await status(), 401)
  t.equal(await status('reader'), 403)
  t.equal(await status(KEY), 200)
})

t.test('rate limit and card guard work under a prefix', async (t) => {
  const { app } = createHost(t)
  app.register(paymentRooms, { ...QUICK, prefix: '/payments', requestsPerSecond: 2 })
  await app.ready()
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) statuses.push((await app.inject('/payments/api/rooms')).statusCode)
  t.strictSame(statuses, [200, 200, 429, 429])
  t.equal((await app.inject({ method: 'POST', url: '/payments/api/rooms', payload: { roomId: '4111-1111-1111-1111' }, remoteAddress: '10.0.0.1' })).json().code, 'SENSITIVE_DATA', 'card data is refused')
})
