// Permissions of deploy/redis/users.acl: they are sufficient and minimal for a node, and each missing right is reported by name.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../../src/root.js'
import { build } from '../../build.js'
import { Peer } from '../../peer.js'
import { startCluster, startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { brokerContract } from '../contract.js'
import { startBroker } from './node.js'

const FOLDER = join(ROOT, 'deploy/redis')
/** Returns the line of the user, without its name and password. */
const RULES = /^user wsp on #REDIS_PASSWORD (.*)$/m.exec(readFileSync(join(FOLDER, 'users.acl'), 'utf8'))![1]!.split(' ')
/** Rights without the part in parentheses, which is for webhooks alone. */
const OF_BROKER = RULES.slice(0, RULES.findIndex((rule) => rule.startsWith('(')))
const COMMANDS = OF_BROKER.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1))
/** Rights that docs/scaling.md adds for a cluster. */
const FOR_CLUSTER = /`(\+cluster\S+ [^`]*)`/.exec(readFileSync(join(ROOT, 'docs/scaling.md'), 'utf8'))![1]!.split(' ')
const PASSWORD = 'a/b&c"d$e'
const address = (port: number) => `redis://wsp:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`
let count = 0

/** Starts a Redis as docker-compose.yml does. */
const startCompose = (t: Test) => startRedis(t, [], {
  command: join(FOLDER, 'start.sh'), env: { ...process.env, REDIS_PASSWORD: PASSWORD }, username: 'wsp', password: PASSWORD
})

t.test('with the users of docker-compose.yml', { skip: withoutRedis }, async (t) => {
  const { port, client } = await startCompose(t)
  t.test('the broker contract', async (t) => brokerContract(t, (t) => startBroker(t, address(port), { prefix: `wsp:${++count}` })))

  t.test('two nodes complete a payment and count requests for the rate limit', async (t) => {
    const env = { REDIS_URL: address(port), REQUESTS_PER_SECOND: '10' }
    const [{ app: a, logs }, { app: b }] = [await build(t, { env }), await build(t, { env })]
    await until('both nodes are ready', () => a.broker.ready() && b.broker.ready())
    const [shop, phone] = [await Peer.inject(t, a), await Peer.inject(t, b)]
    await shop.join('r')
    phone.send('PAYMENT_SUCCESS', { roomId: 'r', transactionId: 'tx' }, 'x')
    await shop.next('PAYMENT_SUCCESS')
    const codes = await Promise.all(Array.from({ length: 30 }, async () => (await b.inject('/api/rooms/r')).statusCode))
    t.ok(codes.includes(200) && codes.includes(429), `counted in Redis: ${codes.join(' ')}`)
    t.strictSame(logs.filter(({ level }) => level >= 50), [])
  })

  t.test('other commands are refused, and other users cannot connect', async (t) => {
    for (const command of [['KEYS', '*'], ['CONFIG', 'GET', '*'], ['FLUSHALL'], ['SUBSCRIBE', 'wsp:x'], ['ACL', 'WHOAMI'], ['HGET', 'others', 'x'], ['SPUBLISH', 'others', 'x']] as const) {
      await t.rejects(client.call(...command as [string]), /NOPERM/, command.join(' '))
    }
    const stranger = client.duplicate({ username: 'default', password: 'x', retryStrategy: null, lazyConnect: true })
    let refusal = ''
    stranger.on('error', ({ message }) => { refusal = message })
    await stranger.connect().catch(() => {})
    t.match(refusal, /^WRONGPASS/)
  })
})

t.test('the broker fulfils its contract on a cluster with the users of deploy/redis and the rights that the docs add', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  await Promise.all(servers.map(({ client }) => client.acl('SETUSER', 'wsp', 'on', '>secret', ...OF_BROKER, ...FOR_CLUSTER)))
  brokerContract(t, (t) => startBroker(t, url.replace('//', '//wsp:secret@'), { prefix: `wsp:${++count}` }))
})

t.test('a missing right is reported by name at the start', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const reasonWith = async (t: Test, url: string, ...rules: string[]) => {
    const user = `user${++count}`
    await redis.client.acl('SETUSER', user, 'on', '>secret', ...OF_BROKER, ...rules)
    const node = await startBroker(t, url.replace('//', `//${user}:secret@`), { prefix: `wsp:${count}`, mayFail: true, mayBeDown: true })
    await until(`the missing right is reported: ${rules.join(' ')}`, async () => {
      await node.broker.tick()
      return node.news.length > 0
    })
    return node.news.map((news) => news.what === 'down' ? news.trouble.reason : news.what)
  }
  t.ok(COMMANDS.length > 20)
  for (const command of COMMANDS) {
    const [reason, ...others] = await reasonWith(t, redis.url, `-${command}`)

    t.match(reason, new RegExp(`^the ACL does not permit ${command.toUpperCase()}$`), command)
    t.strictSame(others, [], `${command}: reported once`)
  }
  t.strictSame(await reasonWith(t, redis.url, '-info', '-lpop', '-zcard'), ['the ACL does not permit INFO, LPOP, ZCARD'], 'all missing rights')
  t.match(await reasonWith(t, redis.url, 'resetkeys', '~other:*'), [/^the ACL does not permit keys and channels that begin with wsp:\d+:$/])
  t.match(await reasonWith(t, redis.url, 'resetchannels', '&other:*'), [/^the ACL does not permit /])
  t.match(await reasonWith(t, `${redis.url}/3`), ['the ACL does not permit SELECT'])
})

t.test('missing rights for a cluster are reported too', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  for (const right of FOR_CLUSTER) {
    const name = `without${++count}`
    await Promise.all(servers.map(({ client }) => client.acl('SETUSER', name, 'on', '>secret', ...OF_BROKER, ...FOR_CLUSTER.filter((other) => other !== right))))
    const node = await startBroker(t, url.replace('//', `//${name}:secret@`), { prefix: 'wsp', mayFail: true, mayBeDown: true })
    await until(`the missing right is reported: ${right}`, async () => {
      await node.broker.tick()
      await new Promise((resolve) => setTimeout(resolve, 20))
      return node.news.length > 0
    })
    t.match(node.news, [{ what: 'down', trouble: { reason: `the ACL does not permit ${right.slice(1).replace('|', ' ').toUpperCase()}` } }])
  }
})
