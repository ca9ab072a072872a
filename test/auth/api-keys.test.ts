// API keys: access to the API, and the principal of a key.
import t from 'tap'
import { ApiKeys, bearerOf } from '../../src/auth/api-keys.js'
import { build } from '../build.js'

t.test('each of several keys is accepted, and no other text', async (t) => {
  const keys = new ApiKeys('old-key, new-key,read:looker')
  t.equal(keys.required, true)
  for (const key of ['old-key', 'new-key']) t.strictSame(keys.claimsOf(key), { principal: 'backend' }, key)
  t.strictSame(keys.claimsOf('looker'), { principal: 'reader' })
  for (const key of ['', 'old-ke', 'old-key2', 'old-key,new-key', ',', 'read:looker', 'read:', 'OLD-KEY']) t.equal(keys.claimsOf(key), undefined, key)
  t.equal(new ApiKeys(undefined).required, false)
  t.equal(new ApiKeys(' , ').required, false)
})

t.test('a key that is listed twice has the permissions of its first entry', async (t) => {
  t.strictSame(new ApiKeys('read:key,key').claimsOf('key'), { principal: 'reader' })
  t.strictSame(new ApiKeys('key,read:key').claimsOf('key'), { principal: 'backend' })
})

t.test('only a bearer header gives a key', async (t) => {
  for (const header of ['Bearer key', 'bearer  key ', 'BEARER key']) t.equal(bearerOf(header), 'key', header)
  for (const header of [undefined, '', 'key', 'Basic key', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer\tkey']) t.equal(bearerOf(header), undefined, String(header))
})

t.test('a key that only reads may read everything and change nothing', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'all,read:looker' } })
  const ask = (method: 'GET' | 'POST' | 'DELETE', url: string, key: string) => app.inject({ method, url, headers: { authorization: `Bearer ${key}` }, ...(method === 'POST' && { payload: {} }) })
  t.equal((await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' }, headers: { authorization: 'Bearer all' } })).statusCode, 201)
  for (const url of ['/api/server/status', '/api/rooms', '/api/rooms/r', '/api/rooms/r/events']) t.equal((await ask('GET', url, 'looker')).statusCode, 200, url)
  for (const [method, url] of [['POST', '/api/rooms'], ['DELETE', '/api/rooms/r'], ['POST', '/api/rooms/r/events'], ['POST', '/api/rooms/r/tokens'], ['POST', '/api/message/room/r/broadcast']] as const) {
    const answer = await ask(method, url, 'looker')
    t.match([answer.statusCode, answer.json()], [403, { success: false, code: 'FORBIDDEN' }], `${method} ${url}`)
  }
  t.equal((await ask('GET', '/api/rooms/r', 'all')).statusCode, 200, 'the room is still there')
})

t.test('with API_KEYS set, the API needs a key; other routes do not', async (t) => {
  const { app, logs } = await build(t, { env: { API_KEYS: 'one,two' } })
  for (const [method, url] of [
    ['GET', '/api/server/status'], ['GET', '/api/rooms'], ['POST', '/api/rooms'], ['GET', '/api/rooms/r'], ['DELETE', '/api/rooms/r'],
    ['GET', '/api/rooms/r/events'], ['POST', '/api/rooms/r/events'], ['POST', '/api/rooms/r/tokens'], ['POST', '/api/message/room/r/broadcast']
  ] as const) {
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      const answer = await app.inject({ method, url, headers })
      t.equal(answer.statusCode, 401, `${method} ${url}`)
      t.equal(answer.headers['www-authenticate'], 'Bearer')
      t.match(answer.json(), { success: false, code: 'UNAUTHORIZED' })
    }
    t.not((await app.inject({ method, url, headers: { authorization: 'Bearer two' } })).statusCode, 401)
  }
  for (const url of ['/', '/health', '/ready', '/docs/json']) t.equal((await app.inject(url)).statusCode, 200, url)
  t.notOk(logs.some(({ msg }) => msg.includes('API is open')))
  t.notMatch(JSON.stringify(logs), 'wrong', 'no key is logged')
})

t.test('without API_KEYS the API is open and a warning is logged; no caller counts as a backend', async (t) => {
  const { app, logs } = await build(t)
  t.ok(logs.some(({ level, msg }) => level === 40 && /API is open.*API_KEYS/.test(msg)))
  await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'PAYMENT_SUCCESS' }, headers: { authorization: 'Bearer made-up' } })
  t.equal((await app.inject('/api/rooms/r')).json().data.state.outcome.verified, false)
})
