// Security headers: on every answer, and none that breaks what the server is for.
import t from 'tap'
import { build } from '../build.js'

t.test('every answer has them, whoever asked and whatever came of it', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key' } })
  for (const url of ['/', '/health', '/docs', '/api/rooms', '/nowhere', '/metrics']) {
    const { headers } = await app.inject(url)
    t.match(headers, {
      'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN', 'referrer-policy': 'no-referrer', 'content-security-policy': /script-src 'self'(;|$)/
    }, url)
  }
  const refused = await app.inject({ url: '/', headers: { connection: 'upgrade', upgrade: 'websocket' } })
  t.match(refused, { statusCode: 400, headers: { 'x-content-type-options': 'nosniff', 'content-security-policy': String, 'sec-websocket-version': '13' } }, 'a handshake that is refused')
})

t.test('nothing is promised that a proxy has to decide: no upgrade to TLS, for this host or those below it', async (t) => {
  const { app } = await build(t)
  const { headers } = await app.inject('/')
  t.notOk('strict-transport-security' in headers)
  t.notMatch(headers['content-security-policy'], 'upgrade-insecure-requests')
})

t.test('pages of other origins may read the API\'s answers, also refusals, as CORS says', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key' } })
  t.match((await app.inject({ url: '/api/rooms', headers: { origin: 'https://shop.example' } })).headers, { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' })
})
