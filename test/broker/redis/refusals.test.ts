// Redis that refuses writes or cannot be reached: it is down with a cause in words, reported once, without flapping.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BEAT_INTERVAL } from '../../../src/broker/redis/nodes.js'
import { withoutOpenssl } from '../../certificates.js'
import { freePort } from '../../free-port.js'
import { startCluster, startRedis, startSentinel, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { startBroker, startNode, type NodeOptions } from './node.js'

type Started = Awaited<ReturnType<typeof startBroker>>

/** Reports in short form. */
const reportsOf = ({ news }: Started) => news.map((report) => report.what === 'down' ? report.trouble.code : report.what)

/** Advances the clock of a node by seconds, with a tick in each. */
async function seconds ({ clock, broker }: Started, count: number, each?: () => Promise<unknown>) {
  let changes = 0
  let before = broker.ready()
  for (let n = 0; n < count; n++) {
    clock.time += 1000
    await broker.tick()
    await each?.()
    if (broker.ready() !== before) changes++
    before = broker.ready()
  }
  return changes
}

interface Refusal {
  readonly code: string
  readonly reason: string
  readonly args?: string[]
  readonly begin: (redis: RedisServer) => Promise<unknown>
  readonly end: (redis: RedisServer) => Promise<unknown>
}

const REFUSALS: Refusal[] = [
  {
    code: 'OOM',
    reason: 'it refuses writes: out of memory (maxmemory)',
    begin: ({ client }) => client.config('SET', 'maxmemory', '1mb'),
    end: ({ client }) => client.config('SET', 'maxmemory', '0')
  },
  {
    code: 'NOREPLICAS',
    reason: 'it refuses writes: too few replicas are connected (min-replicas-to-write)',
    begin: ({ client }) => client.config('SET', 'min-replicas-to-write', '1'),
    end: ({ client }) => client.config('SET', 'min-replicas-to-write', '0')
  },
  {
    code: 'READONLY',
    reason: 'it refuses writes: it is a replica',
    begin: ({ client }) => client.replicaof('127.0.0.1', 1),
    end: ({ client }) => client.replicaof('NO', 'ONE')
  },
  {
    code: 'NOPERM',
    reason: 'the ACL does not permit INFO',
    begin: ({ client }) => client.acl('SETUSER', 'default', '-info'),
    end: ({ client }) => client.acl('SETUSER', 'default', '+info')
  }
]

t.test('a Redis that refuses writes is reported down with its cause', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  for (const { code, reason, begin, end } of REFUSALS) {
    t.test(code, async (t) => {
      const node = await startNode(t, redis.url, { mayFail: true })
      t.teardown(() => end(redis))
      await begin(redis)
      const publish = () => node.publish(1)
      t.match(await publish(), { code: 'UNAVAILABLE' })
      // At least one heartbeat interval, even if no event is published.
      const changes = await seconds(node, 15, publish)
      t.equal(changes, 1, 'no flapping in 15 s of refused events')
      t.equal(node.broker.ready(), false)
      t.equal(node.broker.unreadyReason(), reason)
      t.strictSame(reportsOf(node), ['up', code], 'reported once')
      await end(redis)
      await until('Redis is up again', async () => {
        await seconds(node, 1)
        return node.broker.ready()
      })
      t.equal(node.broker.unreadyReason(), undefined)
      t.match(await publish(), { seq: 1 })
      t.strictSame(reportsOf(node), ['up', code, 'up'])
    })

    t.test(`${code}, without published events`, async (t) => {
      const node = await startNode(t, redis.url, { mayFail: true })
      t.teardown(() => end(redis))
      await begin(redis)
      await seconds(node, BEAT_INTERVAL / 1000 + 2)
      t.strictSame([node.broker.ready(), node.broker.unreadyReason()], [false, reason])
    })

    t.test(`${code} from the start`, async (t) => {
      t.teardown(() => end(redis))
      await begin(redis)
      const node = await startBroker(t, redis.url, { mayFail: true, mayBeDown: true })
      await until('the refusal is reported', () => node.news.length > 0)
      await seconds(node, 15)
      t.match(node.news, [{ what: 'down', trouble: { code, reason } }])
      t.equal(node.news.length, 1)
    })
  }

  t.test('an error of a single command affects no other command, and is reported once a minute without the command', async (t) => {
    const node = await startNode(t, redis.url, { mayFail: true })
    await redis.client.set(node.key('r'), 'something else')
    for (let n = 0; n < 90; n++) {
      t.match(await node.publish('secret'), { code: 'UNAVAILABLE' })
      await seconds(node, 1)
    }
    t.equal(node.broker.ready(), true)
    t.strictSame(reportsOf(node), ['up', 'refused', 'refused'])
    t.notMatch(JSON.stringify(node.news), /secret/)
  })
})

t.test('a cluster with one refusing shard is down, since a part of the rooms is, and the report names the shard', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  const node = await startNode(t, url, { mayFail: true })
  await servers[1]!.client.config('SET', 'maxmemory', '1mb')
  await seconds(node, BEAT_INTERVAL / 1000 + 2)
  t.equal(node.broker.ready(), false)
  t.match(node.news, [{ what: 'up' }, { what: 'down', trouble: { code: 'OOM', shard: `127.0.0.1:${servers[1]!.port}` } }])
  await servers[1]!.client.config('SET', 'maxmemory', '0')
  await seconds(node, 4)
  t.equal(node.broker.ready(), true)
  t.strictSame(reportsOf(node), ['up', 'OOM', 'up'])
})

t.test('an eviction policy that drops rooms is reported once', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t, ['--maxmemory-policy', 'allkeys-lru'])
  const node = await startBroker(t, redis.url, { mayFail: true })
  await until('the policy is reported', () => node.news.length === 2)
  t.strictSame(node.news, [{ what: 'up' }, { what: 'evicts', policy: 'allkeys-lru' }])
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await until('Redis is up again', async () => {
    await seconds(node, 1)
    return reportsOf(node).filter((what) => what === 'up').length === 2 && node.broker.ready()
  })
  t.equal(reportsOf(node).filter((what) => what === 'evicts').length, 1)
})

t.test('an unreachable Redis is reported with its cause', { skip: withoutRedis || withoutOpenssl }, async (t) => {
  /** Asserts that the cause is reported at the start, again after a minute, and not more often. */
  const isTold = async (t: Test, url: string, code: string, reason: RegExp, options: NodeOptions = {}) => {
    const node = await startBroker(t, url, { ...options, mayFail: true, mayBeDown: true })
    await until(() => `the cause is reported: ${JSON.stringify(node.news)}`, async () => {
      await seconds(node, 1)
      // Real time passes between the ticks: an unanswered attempt takes 1.5 s of it.
      await new Promise((resolve) => setTimeout(resolve, 20))
      node.clock.time -= 1000
      return node.news.length > 0
    })
    t.match(node.news, [{ what: 'down', trouble: { kind: 'unreachable', code, reason } }])
    t.equal(node.news.length, 1)
    t.match(node.broker.unreadyReason(), reason)
    await seconds(node, 50)
    t.equal(node.news.length, 1, 'once within a minute')
    node.clock.time += 11_000
    await until('the cause is reported again', async () => {
      await node.broker.tick()
      await new Promise((resolve) => setTimeout(resolve, 20))
      return node.news.length > 1
    })
    t.equal(node.broker.ready(), false)
    t.match(node.news[1], { what: 'down', trouble: { code } })
    t.notMatch(JSON.stringify(node.news), /hunter2/)
  }
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=other.example'], { stdio: 'ignore' })
  const plain = await startRedis(t)
  const locked = await startRedis(t, ['--requirepass', 'other'])
  const tlsPort = await freePort()
  await startRedis(t, ['--tls-port', String(tlsPort), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'])
  // Looked for once all servers have theirs: a free port may be found again.
  const port = await freePort()

  const cases: Array<[name: string, url: string, code: string, reason: RegExp]> = [
    ['unknown host', 'redis://nonexistent.invalid', 'ENOTFOUND|EAI_AGAIN', /^its host name cannot be resolved$/],
    ['unknown host, as a cluster', 'redis+cluster://nonexistent.invalid', 'ENOTFOUND|EAI_AGAIN', /^its host name cannot be resolved$/],
    ['unknown host, as a Sentinel', 'redis+sentinel://nonexistent.invalid/payments', 'ENOTFOUND|EAI_AGAIN', /^its host name cannot be resolved$/],
    ['closed port', `redis://127.0.0.1:${port}`, 'ECONNREFUSED', /^the connection is refused/],
    ['closed port, as a cluster', `redis+cluster://127.0.0.1:${port}`, 'ECONNREFUSED', /^the connection is refused/],
    ['closed port, as a Sentinel', `redis+sentinel://127.0.0.1:${port}/payments`, 'ECONNREFUSED', /^the connection is refused/],
    ['a wrong password', `redis://:hunter2@127.0.0.1:${locked.port}`, 'WRONGPASS', /password is wrong$/],
    ['a wrong password, as a cluster', `redis+cluster://:hunter2@127.0.0.1:${locked.port}`, 'WRONGPASS', /password is wrong$/],
    ['no password', `redis://127.0.0.1:${locked.port}`, 'NOAUTH', /REDIS_URL has none$/],
    ['TLS to a port without', `rediss://127.0.0.1:${plain.port}`, 'NOTLS', /must begin with redis, not rediss$/],
    ['no TLS to a port with', `redis://127.0.0.1:${tlsPort}`, 'TLS', /must begin with rediss$/],
    ['an untrusted certificate', `rediss://127.0.0.1:${tlsPort}`, 'DEPTH_ZERO_SELF_SIGNED_CERT', /^its TLS certificate is not trusted$/],
    ['one server, as a cluster', `redis+cluster://127.0.0.1:${plain.port}`, 'NOCLUSTER', /^it is not a cluster/],
    ['one server, as a Sentinel', `redis+sentinel://127.0.0.1:${plain.port}/payments`, 'NOSENTINEL', /^it is not a Sentinel$/],
    ['a database that does not exist', `redis://127.0.0.1:${plain.port}/99`, 'NODATABASE', /^it has no database with that number$/]
  ]
  for (const [name, url, code, reason] of cases) t.test(name, async (t) => isTold(t, url, new RegExp(`^(${code})$`) as unknown as string, reason))

  t.test('an unknown master name in Sentinel is reported', async (t) => {
    const { url } = await startSentinel(t)
    await isTold(t, url.replace(/payments$/, 'others'), 'NOMASTER', /^Sentinel has no master with that name$/)
  })

  t.equal((await plain.client.dbsize()), 0, 'nothing was written to database 0 instead')
})
