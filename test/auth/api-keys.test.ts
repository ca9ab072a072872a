// API keys: who may call, and what it proves.
import t from 'tap'
import { ApiKeys } from '../../src/auth/api-keys.js'
import { mayPublish } from '../../src/auth/policy.js'
import { PAYMENT_EVENT_TYPES } from '../../src/protocol/events.js'
import { build } from '../build.js'

t.test('several keys at once, and nothing but them', async (t) => {
  const keys = new ApiKeys('old-key, new-key,')
  t.equal(keys.required, true)
  for (const header of ['Bearer old-key', 'Bearer new-key', 'bearer  new-key ']) t.equal(keys.accepts(header), true, header)
  for (const header of [undefined, '', 'old-key', 'Basic old-key', 'Bearer', 'Bearer ', 'Bearer old-ke', 'Bearer old-key2', 'Bearer old-key,new-key', 'Bearer ,']) {
    t.equal(keys.accepts(header), false, String(header))
  }
  t.equal(new ApiKeys(undefined).required, false)
  t.equal(new ApiKeys(' , ').required, false)
})

t.test('the policy, as a table', async (t) => {
  for (const type of PAYMENT_EVENT_TYPES) {
    const isResult = type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR'
    t.equal(mayPublish({ speaker: 'device' }, type, { resultsFrom: 'any' }), true)
    t.equal(mayPublish({ speaker: 'device' }, type, { resultsFrom: 'backend' }), !isResult, `a device's ${type}`)
    t.equal(mayPublish({ speaker: 'backend' }, type, { resultsFrom: 'backend' }), true)
  }
})

t.test('with keys set, the API needs one; what is not the API does not', async (t) => {
  const { app, logs } = await build(t, { env: { API_KEYS: 'one,two' } })
  for (const [method, url] of [
    ['GET', '/api/server/status'], ['GET', '/api/rooms'], ['POST', '/api/rooms'], ['GET', '/api/rooms/r'], ['DELETE', '/api/rooms/r'],
    ['GET', '/api/rooms/r/events'], ['POST', '/api/rooms/r/events'], ['POST', '/api/message/room/r/broadcast']
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
  t.notOk(logs.some(({ msg }) => msg.includes('open')))
  t.notMatch(JSON.stringify(logs), 'wrong', 'no key is logged')
})

t.test('without keys the API is open and says so; nobody is taken for a backend', async (t) => {
  const { app, logs } = await build(t)
  t.match(logs, [{ level: 40, msg: /open.*API_KEYS/ }])
  await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'PAYMENT_SUCCESS' }, headers: { authorization: 'Bearer made-up' } })
  t.equal((await app.inject('/api/rooms/r')).json().data.state.outcome.verified, false)
})
