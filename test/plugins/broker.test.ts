// State of Redis as an operator sees it: /ready, wsp_broker_up and the log.
import t from 'tap'
import { build } from '../build.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

t.test('a full Redis makes the server not ready, with the reason in /ready and one line in the log', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t, ['--maxmemory-policy', 'volatile-lru'])
  const { app, logs } = await build(t, { env: { REDIS_URL: redis.url } })
  const lines = () => logs.filter(({ msg }) => msg.startsWith('Redis')).map(({ level, msg }) => [level, msg])
  const isUp = async () => / wsp_broker_up (\d)\n/.exec((await app.inject('/metrics')).body.replace(/\nwsp/g, '\n wsp'))![1]
  await until('the server is ready', async () => (await app.inject('/ready')).statusCode === 200)
  t.equal(await isUp(), '1')
  t.notOk('reason' in (await app.inject('/ready')).json())
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1mb')
  await until('the server is not ready', async () => (await app.inject('/ready')).statusCode === 503)
  t.match((await app.inject('/ready')).json(), { status: 'not ready', checks: { broker: 'down' }, reason: 'it refuses writes: out of memory (maxmemory)' })
  t.equal(await isUp(), '0')
  t.match(logs.find(({ level }) => level === 50), { code: 'OOM', hosts: [`127.0.0.1:${redis.port}`] })
  await redis.client.config('SET', 'maxmemory', '0')
  await until('the server is ready again', async () => (await app.inject('/ready')).statusCode === 200)
  t.strictSame(lines(), [
    [30, 'Redis connected'],
    [40, 'Redis may evict rooms that are in use: set its maxmemory-policy to noeviction instead of volatile-lru'],
    [50, 'Redis cannot be used: it refuses writes: out of memory (maxmemory)'],
    [30, 'Redis connected']
  ])
})

t.test('an unknown host name of Redis is logged at the start, without the password', async (t) => {
  const { app, logs } = await build(t, { env: { REDIS_URL: 'redis://user:hunter2@nonexistent.invalid:6380/1' } })
  await until('an error is logged', () => logs.some(({ level }) => level === 50))
  t.match(logs.filter(({ level }) => level === 50), [{ msg: 'Redis cannot be reached: its host name cannot be resolved', hosts: ['nonexistent.invalid:6380'] }])
  t.match((await app.inject('/ready')).json(), { reason: 'its host name cannot be resolved' })
  t.notMatch(JSON.stringify(logs), /hunter2/)
})
