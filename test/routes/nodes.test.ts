// The list of nodes over REST: one node by itself, and all that share a Redis.
import t from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { VERSION } from '../../src/root.js'
import { until } from '../until.js'

type App = Awaited<ReturnType<typeof build>>['app']
const listOf = async (app: App) => (await app.inject('/api/nodes')).json().data as { self: string, nodes: Array<{ id: string, status: string, sockets: number, rooms: number }> }

t.test('without Redis the list has this node, with its connections', async (t) => {
  const { app } = await build(t, { now: () => 1_795_504_813_040 })
  const peer = await Peer.inject(t, app)
  await peer.join('r', 'shop')
  const { self, nodes } = await listOf(app)
  t.match(nodes, [{ id: self, name: /./, status: 'running', startedAt: 1_795_504_813_040, version: VERSION, sockets: 1, streams: 0, rooms: 1 }])
  t.equal(nodes.length, 1)
})

t.test('a server with keys shows its nodes to a key that reads, and not without one', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key,read:reader' } })
  t.equal((await app.inject('/api/nodes')).statusCode, 401)
  t.equal((await app.inject({ url: '/api/nodes', headers: { authorization: 'Bearer reader' } })).statusCode, 200)
})

t.test('over Redis the list has all nodes, the longest running first, until they leave or their notes expire', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const start = async (now: number) => {
    const { app } = await build(t, { env: { REDIS_URL: redis.url }, now: () => now })
    await until('the node is ready', () => app.broker.ready())
    return app
  }
  const [late, early] = [await start(2_000), await start(1_000)]
  await (await Peer.inject(t, early)).join('r', 'shop')
  const first = await listOf(early)
  await until('both nodes have noted themselves', async () => (await listOf(late)).nodes.length === 2)
  const { self, nodes } = await listOf(late)
  t.strictSame(nodes.map(({ id, sockets, rooms }) => [id, sockets, rooms]), [[first.self, 1, 1], [self, 0, 0]])

  await redis.client.hset('wsp:{@node-notes}', { dead: '1 {}', future: '99999999999999 {}' })
  t.equal((await listOf(late)).nodes.length, 2, 'notes whose time is over, or cannot be, are dropped')
  t.strictSame((await redis.client.hkeys('wsp:{@node-notes}')).sort(), [first.self, self].sort())
  await early.close()
  t.strictSame((await listOf(late)).nodes.map(({ id }) => id), [self])
  await redis.kill()
  await until('the node has noticed', () => !late.broker.ready())
  t.equal((await late.inject('/api/nodes')).statusCode, 503)
})
