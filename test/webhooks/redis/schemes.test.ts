// Forms of REDIS_URL for the queue of webhooks, whose workers have connections of their own: a Unix socket, Sentinel, and TLS with both.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificates, withoutOpenssl } from '../../certificates.js'
import { freePort } from '../../free-port.js'
import { startRedis, startSentinel, withoutRedis } from '../../redis.js'
import { startProcess } from '../../server-process.js'
import { until } from '../../until.js'
import { Wiretap } from '../../wiretap.js'
import { queueContract } from '../contract.js'
import { SECRET, startReceiver } from '../receiver.js'
import { startRedisQueue } from './queue.js'

const PASSWORD = 'se/cr:et@100%'
const IN_URL = encodeURIComponent(PASSWORD)

t.test('the contract over a Unix socket, with a user and a database', { skip: withoutRedis }, async (t) => {
  const { client } = await startRedis(t, ['--unixsocket', 'redis.sock', '--user', 'node', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'])
  const [, dir = ''] = await client.config('GET', 'dir') as string[]
  const url = `redis+unix://node:${IN_URL}@${join(dir, 'redis.sock')}?db=2`
  queueContract(t, (t, clock) => startRedisQueue(t, url, clock))
  t.test('no other database is used', async (t) => {
    t.match(await client.info('keyspace'), /^# Keyspace\r\ndb2:[^\n]*\r\n$/)
  })
})

t.test('the contract over Sentinel', { skip: withoutRedis }, async (t) => {
  const { url } = await startSentinel(t)
  queueContract(t, (t, clock) => startRedisQueue(t, url, clock))
})

t.test('a webhook is sent where Sentinel and its master have TLS and passwords', { skip: withoutRedis || withoutOpenssl }, async (t) => {
  const tls = makeCertificates(t, 'DNS:localhost')
  const master = await startRedis(t, ['--requirepass', PASSWORD], { tls, password: PASSWORD })
  const wiretap = await Wiretap.start(t, master.port)
  const conf = join(t.testdir({}), 'sentinel.conf')
  writeFileSync(conf, [
    'requirepass of-the-sentinel', 'sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes',
    `sentinel monitor payments localhost ${wiretap.port} 1`, `sentinel auth-pass payments ${PASSWORD}`, ''
  ].join('\n'))
  const sentinel = await startRedis(t, [conf, '--sentinel'], { tls, password: 'of-the-sentinel' })
  const receiver = await startReceiver(t)
  const port = await freePort()
  const server = startProcess({
    PORT: String(port),
    LOG_LEVEL: 'warn',
    NODE_ENV: 'production',
    NODE_EXTRA_CA_CERTS: tls.ca,
    REDIS_URL: `rediss+sentinel://:${IN_URL}@localhost:${sentinel.port}/payments`,
    REDIS_SENTINEL_PASSWORD: 'of-the-sentinel',
    WEBHOOK_SECRET: SECRET,
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true'
  })
  t.teardown(async () => {
    server.child.kill('SIGKILL')
    await server.exit
  })
  await until(() => `the node is ready: ${server.errors()}`, () => fetch(`http://127.0.0.1:${port}/ready`).then(({ ok }) => ok, () => false), 60_000)
  const body = JSON.stringify({ type: 'PAYMENT_ERROR', payload: { error: 'declined', code: 'D1' }, id: '1' })
  const { status } = await fetch(`http://127.0.0.1:${port}/api/rooms/payment/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  t.equal(status, 201)
  await until(() => `the webhook arrives: ${server.errors()}`, () => receiver.received.length > 0)
  t.match(receiver.received, [{ data: { roomId: 'payment', state: { outcome: { code: 'D1' } } } }])
  t.equal(server.errors(), '')
  t.ok(wiretap.text.length > 1_000, 'there was traffic to intercept')
  for (const secret of [PASSWORD, 'bzpopmin', 'evalsha', 'declined']) t.notOk(wiretap.text.toLowerCase().includes(secret.toLowerCase()), `${secret} is not readable`)
})
