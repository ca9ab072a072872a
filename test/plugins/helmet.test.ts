// Security headers: on every answer, and none that breaks a use of the server.
import t from 'tap'
import { build } from '../build.js'

t.test('every answer has the security headers, refusals included', async (t) => {
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

t.test('the server sends neither strict-transport-security nor upgrade-insecure-requests, which a proxy decides', async (t) => {
  const { app } = await build(t)
  const { headers } = await app.inject('/')
  t.notOk('strict-transport-security' in headers)
  t.notMatch(headers['content-security-policy'], 'upgrade-insecure-requests')
})

t.test('pages of other origins may read answers of the API, refusals included, as CORS allows', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key' } })
  t.match((await app.inject({ url: '/api/rooms', headers: { origin: 'https://shop.example' } })).headers, { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' })
})
