// Checks of a request's head, before all other hooks.
import t from 'tap'
import { MAX_HEADERS } from '../../src/websocket/handshake.js'
import { build } from '../build.js'

t.test('a request with too many headers is refused, and its connection ends', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key' } })
  // inject() adds `host` and `user-agent`.
  const headers = (count: number) => Object.fromEntries(Array.from({ length: count - 2 }, (_, i) => [`x-${i}`, '1']))
  const refused = await app.inject({ url: '/health', headers: headers(MAX_HEADERS + 1) })
  t.match({ status: refused.statusCode, headers: refused.headers, body: refused.json() }, { status: 431, headers: { connection: 'close' }, body: { code: 'INVALID_REQUEST' } })
  t.equal((await app.inject({ url: '/health', headers: headers(MAX_HEADERS) })).statusCode, 200)
})
