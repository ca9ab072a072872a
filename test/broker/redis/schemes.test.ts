// Forms of REDIS_URL against real servers: two nodes connect, run their scripts, and one receives the events of the other. With TLS the servers
// refuse plain text, and an eavesdropper in front of each server reads no secret.
import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connect } from '../../../src/broker/redis/clients.js'
import { ROOT } from '../../../src/root.js'
import { makeCertificates, withoutOpenssl, type Certificates } from '../../certificates.js'
import { plainNode } from '../../plain-node.js'
import { freePort } from '../../free-port.js'
import { startCluster, startRedis, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { Wiretap } from '../../wiretap.js'
import { startPair, type NodeOptions } from './node.js'

const PASSWORD = 'se/cr:et@100%'
const IN_URL = encodeURIComponent(PASSWORD)
const SENTINEL_PASSWORD = 'the-sentinels-own'
const SECURE = { skip: withoutRedis || withoutOpenssl }

/** Connects two nodes in this process to a Redis and passes an event between them. */
async function assertMeeting (t: Test, url: string, options?: NodeOptions) {
  const [a, b] = await startPair(t, url, options)
  await b.broker.subscribe('r')
  t.match(await a.publish(1), { seq: 1, isNew: true })
  await until('the other node received the event', () => b.heard.events.length === 1)
}

/** Runs two nodes in a process of their own, optionally with a certificate authority. */
function startTwoNodes (t: Test, env: Record<string, string>, authority?: Certificates) {
  const [command, args] = plainNode(join(ROOT, 'test/broker/two-nodes.mjs'))
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', LOG_LEVEL: 'silent', ...env, ...(authority && { NODE_EXTRA_CA_CERTS: authority.ca }) },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += String(chunk) })
  return { output: () => output, says: (text: string | RegExp) => until(() => `${text}, but: ${output}`, () => output.match(text) !== null, 60_000) }
}

function assertSecret (t: Test, { text }: Wiretap, what: string) {
  t.ok(text.length > 1000, `${what}: there was traffic to intercept`)
  for (const secret of [PASSWORD, SENTINEL_PASSWORD, 'redis.call', 'ssubscribe', 'client', 'sentinel', 'CLICKED_PAY']) {
    t.notOk(text.toLowerCase().includes(secret.toLowerCase()), `${what}: the traffic does not contain ${secret}`)
  }
}

/** Starts a Sentinel with a password that watches a master on that port under the name payments. */
async function startLockedSentinel (t: Test, masterPort: number, { tls, acl = [] }: { tls?: Certificates, acl?: string[] } = {}): Promise<RedisServer> {
  const conf = join(t.testdir({}), 'sentinel.conf')
  writeFileSync(conf, [
    `requirepass ${SENTINEL_PASSWORD}`, ...acl,
    // Sentinel returns the host name that it was given, which is the name in the certificate.
    'sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes',
    `sentinel monitor payments localhost ${masterPort} 1`, `sentinel auth-pass payments ${PASSWORD}`, ''
  ].join('\n'))
  return startRedis(t, [conf, '--sentinel'], { password: SENTINEL_PASSWORD, ...(tls && { tls }) })
}

t.test('redis:// connects with a password and a database, and an eavesdropper reads all of it', { skip: withoutRedis }, async (t) => {
  const { port, client } = await startRedis(t, ['--requirepass', PASSWORD], { password: PASSWORD })
  const wiretap = await Wiretap.start(t, port)
  await assertMeeting(t, `redis://:${IN_URL}@127.0.0.1:${wiretap.port}/3`)
  for (const known of [PASSWORD, 'redis.call', 'ssubscribe']) t.ok(wiretap.text.includes(known), known)
  t.match(await client.info('keyspace'), /^# Keyspace\r\ndb3:[^\n]*\r\n$/, 'other databases are empty')
})

t.test('rediss:// connects with an authority from NODE_EXTRA_CA_CERTS', SECURE, async (t) => {
  const tls = makeCertificates(t, 'DNS:localhost')
  const { port, client } = await startRedis(t, ['--requirepass', PASSWORD], { tls, password: PASSWORD })
  const wiretap = await Wiretap.start(t, port)
  await startTwoNodes(t, { REDIS_URL: `rediss://:${IN_URL}@localhost:${wiretap.port}/3` }, tls).says('heard')
  assertSecret(t, wiretap, 'the server')
  t.match(await client.info('keyspace'), /^# Keyspace\r\ndb3:[^\n]*\r\n$/)

  const untrusting = startTwoNodes(t, { REDIS_URL: `rediss://:${IN_URL}@localhost:${port}` })
  const misnamed = startTwoNodes(t, { REDIS_URL: `rediss://:${IN_URL}@127.0.0.1:${port}` }, tls)
  await untrusting.says(/error: .*(self-signed|unable to)/)
  await misnamed.says(/error: .*IP: 127\.0\.0\.1 is not in the cert/)
  for (const { output } of [untrusting, misnamed]) t.notMatch(output(), 'heard')
})

t.test('redis+sentinel:// connects with Sentinel\'s own user and password', { skip: withoutRedis }, async (t) => {
  const { port } = await startRedis(t, ['--requirepass', PASSWORD], { password: PASSWORD })
  const sentinel = await startLockedSentinel(t, port, { acl: [`user node on >${PASSWORD} +@all`] })
  const url = `redis+sentinel://:${IN_URL}@127.0.0.1:${sentinel.port}/payments`
  await assertMeeting(t, url, { sentinel: { username: 'node', password: PASSWORD } })
  await assertMeeting(t, url, { sentinel: { password: SENTINEL_PASSWORD } })

  const refused = connect(url)
  t.teardown(() => refused.close())
  const errors: string[] = []
  for (const client of refused.clients) client.on('error', ({ message }: Error) => errors.push(message))
  await until('the error reports that Sentinel requires a password', () => errors.some((message) => message.includes('NOAUTH')))
})

t.test('rediss+sentinel:// connects with TLS to Sentinel and to its master', SECURE, async (t) => {
  const tls = makeCertificates(t, 'DNS:localhost')
  const master = await startRedis(t, ['--requirepass', PASSWORD], { tls, password: PASSWORD })
  const toMaster = await Wiretap.start(t, master.port)
  const sentinel = await startLockedSentinel(t, toMaster.port, { tls })
  const toSentinel = await Wiretap.start(t, sentinel.port)
  const env = { REDIS_URL: `rediss+sentinel://:${IN_URL}@localhost:${toSentinel.port}/payments`, REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD }
  await startTwoNodes(t, env, tls).says('heard')
  assertSecret(t, toMaster, 'the master')
  assertSecret(t, toSentinel, 'Sentinel')
})

t.test('redis+cluster:// connects by host names, one of which is unknown', { skip: withoutRedis }, async (t) => {
  const { servers: [{ port } = { port: 0 }] } = await startCluster(t, 2, ['--requirepass', PASSWORD], { password: PASSWORD })
  // Longer than a host name may be, so that no resolver is asked.
  await assertMeeting(t, `redis+cluster://:${IN_URL}@${'x'.repeat(64)}:${port},localhost:${port}`)
})

t.test('rediss+cluster:// connects where the certificates contain host names', SECURE, async (t) => {
  const tls = makeCertificates(t, 'DNS:localhost')
  const wiretaps: Wiretap[] = []
  await startCluster(t, 2, ['--requirepass', PASSWORD, '--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'], {
    tls,
    password: PASSWORD,
    nodeArgs: async ({ port }) => {
      const wiretap = await Wiretap.start(t, port)
      wiretaps.push(wiretap)
      return ['--cluster-announce-tls-port', String(wiretap.port)]
    }
  })
  await startTwoNodes(t, { REDIS_URL: `rediss+cluster://:${IN_URL}@localhost:${wiretaps[0]!.port}` }, tls).says('heard')
  for (const [i, wiretap] of wiretaps.entries()) assertSecret(t, wiretap, `node ${i}`)
})

t.test('redis+unix:// connects with a user and a database to a server without a port', { skip: withoutRedis }, async (t) => {
  const { client } = await startRedis(t, ['--unixsocket', 'redis.sock', '--user', 'node', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'])
  const [, dir = ''] = await client.config('GET', 'dir') as string[]
  const path = join(dir, 'redis.sock')
  t.ok(existsSync(path))
  await assertMeeting(t, `redis+unix://node:${IN_URL}@${path}?db=2`)
  t.match(await client.info('keyspace'), /^# Keyspace\r\ndb2:[^\n]*\r\n$/)
})

t.test('a user and a password of any characters connect, encoded in the address', { skip: withoutRedis }, async (t) => {
  const { port, client } = await startRedis(t, ['--unixsocket', 'redis.sock'])
  const [, dir = ''] = await client.config('GET', 'dir') as string[]
  const logins: ReadonlyArray<[user: string, password: string]> = [
    ['default:user@shop/1', PASSWORD],
    ['usuário?#&=+%40', 'with spaces, "quotes", \'these\' and \\'],
    ['[::1]', '@:/?#[]!$&()*+,;=%25~|^`<>{}'],
    ['only-ascii', 'señha çom açentos 💳']
  ]
  for (const [user, password] of logins) {
    await client.acl('SETUSER', user, 'reset', 'on', `>${password}`, '~*', '&*', '+@all')
    const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`
    for (const url of [`redis://${login}127.0.0.1:${port}`, `redis+unix://${login}${join(dir, 'redis.sock')}`]) await assertMeeting(t, url)
    t.ok((await client.client('LIST') as string).includes(` user=${user} `), `${user} has connected`)
  }
  const refused = connect(`redis://${encodeURIComponent(logins[0]![0])}:wrong@127.0.0.1:${port}`)
  t.teardown(refused.close)
  const errors: string[] = []
  for (const one of refused.clients) one.on('error', ({ message }: Error) => errors.push(message))
  await until('another password is refused', () => errors.some((message) => message.startsWith('WRONGPASS')))
})

const hasIPv6 = Object.values(networkInterfaces()).flat().some((address) => address?.address === '::1')
const withoutIPv6 = hasIPv6 ? false : 'no ::1 on this machine'
const ON_IPV6 = ['--bind', '127.0.0.1', '::1']

t.test('an IPv6 address connects', { skip: withoutRedis || withoutIPv6 }, async (t) => {
  const { port } = await startRedis(t, ON_IPV6)
  await assertMeeting(t, `redis://[::1]:${port}`)
})

t.test('an IPv6 address connects with TLS and a user, and a certificate for another address is refused', { skip: SECURE.skip || withoutIPv6 }, async (t) => {
  const user = ['--user', 'shop@1', 'on', `>${PASSWORD}`, '~*', '&*', '+@all']
  const tls = makeCertificates(t, 'IP:::1', 'DNS:localhost')
  const { port } = await startRedis(t, [...ON_IPV6, ...user], { tls })
  const address = (port: number) => `rediss://shop%401:${IN_URL}@[::1]:${port}/2`
  await startTwoNodes(t, { REDIS_URL: address(port) }, tls).says('heard')

  const misnaming = makeCertificates(t, 'IP:::2', 'DNS:localhost')
  const other = await startRedis(t, [...ON_IPV6, ...user], { tls: misnaming })
  const misnamed = startTwoNodes(t, { REDIS_URL: address(other.port) }, misnaming)
  await misnamed.says(/error: .*IP: ::1 is not in the cert/)
  t.notMatch(misnamed.output(), 'heard')
})

t.test('a Sentinel at an IPv6 address leads to a master at one', { skip: withoutRedis || withoutIPv6 }, async (t) => {
  const master = await startRedis(t, ON_IPV6)
  const conf = join(t.testdir({}), 'sentinel.conf')
  writeFileSync(conf, `sentinel monitor payments ::1 ${master.port} 1\n`)
  const sentinel = await startRedis(t, [conf, '--sentinel'])
  await assertMeeting(t, `redis+sentinel://[::1]:${sentinel.port}/payments`)
  t.match(await master.client.client('LIST'), /laddr=\[::1\]:/, 'nodes are connected over IPv6')
})

t.test('a cluster at IPv6 addresses connects', { skip: withoutRedis || withoutIPv6 }, async (t) => {
  const { servers } = await startCluster(t, 2, [...ON_IPV6, '--cluster-announce-ip', '::1'])
  await assertMeeting(t, `redis+cluster://[::1]:${servers[0]!.port}`)
  for (const { client } of servers) t.match(await client.client('LIST'), /laddr=\[::1\]:/, 'nodes are connected over IPv6')
})

t.test('a missing database is an error at every attempt, and no other database is used', { skip: withoutRedis }, async (t) => {
  const { port, client } = await startRedis(t)
  for (const address of [`redis://127.0.0.1:${port}/99`, `redis://127.0.0.1:${port}/2147483647`]) {
    const { commands, clients, close } = connect(address)
    t.teardown(close)
    const errors: string[] = []
    for (const client of clients) {
      client.on('error', ({ message }: Error) => errors.push(message))
      client.on('ready', () => t.fail('the connection is ready'))
    }
    await until('both connections have tried twice', () => errors.length >= 4)
    t.strictSame(new Set(errors), new Set([`Redis rejected database ${address.split('/')[3]}: ERR DB index is out of range`]))
    await t.rejects(commands.createRoom('{r}', '{r}:log', 1, 1, 'e', 1))
    close()
  }
  t.equal(await client.dbsize(), 0)
})

t.test('a server that stops during the selection of the database is not reported as a missing database', async (t) => {
  const port = await freePort()
  const server = net.createServer((socket) => { socket.once('data', () => socket.destroy()) }).listen(port, '127.0.0.1')
  t.teardown(() => { server.close() })
  const { clients, close } = connect(`redis://127.0.0.1:${port}/1`)
  t.teardown(close)
  let attempts = 0
  for (const client of clients) {
    client.on('error', ({ message }: Error) => t.notMatch(message, 'rejected database'))
    client.on('close', () => { attempts++ })
  }
  await until('both connections have tried twice', () => attempts >= 4)
})
