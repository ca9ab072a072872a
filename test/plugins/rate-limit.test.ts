// Rate limit of REST requests: the number of requests, and the identity of a caller.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { build } from '../build.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const statuses = async (app: FastifyInstance, times: number, headers = {}, remoteAddress = '127.0.0.1') => {
  const codes: number[] = []
  for (let i = 0; i < times; i++) codes.push((await app.inject({ url: '/api/server/status', headers, remoteAddress })).statusCode)
  return codes
}
/** A clock that stands still, so that no second ends within a test on a busy machine. */
const monotonic = () => 1_000
const count = (codes: number[], code: number) => codes.filter((each) => each === code).length

t.test('a request past the limit is answered with 429, the error envelope and Retry-After, until the second ends', async (t) => {
  let now = 1_000
  const { app } = await build(t, { env: { REQUESTS_PER_SECOND: '5' }, monotonic: () => now })
  t.strictSame(await statuses(app, 7), [200, 200, 200, 200, 200, 429, 429])
  const refused = await app.inject('/api/rooms')
  t.match(refused.json(), { success: false, code: 'RATE_LIMITED', requestId: String })
  t.equal(refused.headers['retry-after'], '1')
  t.notOk(Object.keys(refused.headers).some((name) => name.startsWith('x-ratelimit')))
  t.strictSame(await statuses(app, 3, {}, '10.0.0.1'), [200, 200, 200], 'another address has its own count')
  for (const url of ['/', '/health', '/ready', '/docs/json']) t.not((await app.inject(url)).statusCode, 429, `${url} is not counted`)
  now += 1_000
  t.strictSame(await statuses(app, 1), [200])
})

t.test('a burst of simultaneous requests is served up to the limit', async (t) => {
  const { app } = await build(t, { env: { REQUESTS_PER_SECOND: '5' }, monotonic })
  const codes = await Promise.all(Array.from({ length: 8 }, () => app.inject('/api/server/status').then(({ statusCode }) => statusCode)))
  t.strictSame([count(codes, 200), count(codes, 429)], [5, 3])
})

t.test('with more callers than the server counts, the counts of the oldest are dropped and those of the newest are kept', async (t) => {
  const { app } = await build(t, { env: { REQUESTS_PER_SECOND: '1' }, monotonic })
  t.strictSame(await statuses(app, 2, {}, '10.0.0.1'), [200, 429])
  for (let n = 0; n < 10_000; n += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, i) => app.inject({ url: '/api/server/status', remoteAddress: `11.${(n + i) >> 16}.${((n + i) >> 8) & 255}.${(n + i) & 255}` })))
  }
  t.strictSame(await statuses(app, 1, {}, '11.0.39.15'), [429])
})

t.test('an API key has one count for all addresses; requests with wrong keys count for their address', async (t) => {
  const { app } = await build(t, { env: { REQUESTS_PER_SECOND: '4', API_KEYS: 'one,two' }, monotonic })
  const key = (name: string) => ({ authorization: `Bearer ${name}` })
  t.strictSame(await statuses(app, 2, key('one')), [200, 200])
  t.strictSame(await statuses(app, 4, key('one'), '10.0.0.1'), [200, 200, 429, 429])
  t.strictSame(await statuses(app, 1, { authorization: 'bearer   one ' }), [429], 'the spelling of the header does not matter')
  t.strictSame(await statuses(app, 1, key('two')), [200])
  const guesses: number[] = []
  for (let n = 0; n < 10; n++) guesses.push(...await statuses(app, 1, key(`guess${n}`)))
  t.strictSame(guesses, [401, 401, 401, 401, 429, 429, 429, 429, 429, 429])
  t.strictSame(await statuses(app, 1, key('two')), [200], 'a valid key from the same address is still served')
})

t.test('the address that a proxy forwards is counted only if the proxy is trusted', async (t) => {
  const env = { REQUESTS_PER_SECOND: '2' }
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const { app: trusting } = await build(t, { env: { ...env, TRUST_PROXY: '127.0.0.1, 10.0.0.0/8' }, monotonic })
  t.strictSame(await statuses(trusting, 3, from('192.0.2.1')), [200, 200, 429])
  t.strictSame(await statuses(trusting, 1, from('192.0.2.2')), [200])
  t.strictSame(await statuses(trusting, 3, from('192.0.2.3'), '203.0.113.5'), [200, 200, 429])
  t.strictSame(await statuses(trusting, 1, from('192.0.2.4'), '203.0.113.5'), [429], 'an untrusted proxy is counted by its own address')
  const { app: alone } = await build(t, { env, monotonic })
  t.strictSame(await statuses(alone, 2, from('192.0.2.1')), [200, 200])
  t.strictSame(await statuses(alone, 1, from('192.0.2.2')), [429])
})

t.test('with Redis the nodes share their counts, and while Redis is away they serve without a limit', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const env = { REQUESTS_PER_SECOND: '10', REDIS_URL: redis.url }
  const [{ app: a }, { app: b }] = [await build(t, { env }), await build(t, { env })]
  await until('both nodes are ready', () => a.broker.ready() && b.broker.ready())
  // Redis counts by its own clock, whose second may end before a busy machine has made 16 requests; the next try uses another address.
  let tries = 0
  await until('the nodes share their counts', async () => {
    const address = `10.0.0.${++tries}`
    return count([...await statuses(a, 8, {}, address), ...await statuses(b, 8, {}, address)], 429) >= 4
  })
  await redis.kill()
  await until('the node notices the loss of Redis', () => !a.broker.ready())
  t.strictSame(await statuses(a, 20), Array.from({ length: 20 }, () => 200))
})
