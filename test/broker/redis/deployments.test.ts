// Separation of several deployments on one Redis, in two databases or under two prefixes: keys, channels and messages.
import t, { type Test } from 'tap'
import { build } from '../../build.js'
import { Peer } from '../../peer.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { startNode } from './node.js'

t.test('two deployments on one Redis stay separate', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const isApart = async (t: Test, production: Record<string, string>, staging: Record<string, string>) => {
    const [{ app: a }, { app: b }] = [await build(t, { env: production }), await build(t, { env: staging })]
    await until('both brokers are ready', () => a.broker.ready() && b.broker.ready())
    const [shop, tester] = [await Peer.inject(t, a), await Peer.inject(t, b)]
    await shop.join('r', 'shop')
    await tester.join('r', 'tester')
    tester.send('CLICKED_PAY', { roomId: 'r' }, 'x')
    t.match((await tester.next('ACK')).payload, { id: 'x', seq: 1 })
    t.equal((await b.inject({ method: 'DELETE', url: '/api/rooms/r' })).statusCode, 204)
    await tester.next('ROOM_CLOSED')
    shop.send('CLICKED_PAY', { roomId: 'r' }, 'y')
    t.match((await shop.next('ACK')).payload, { seq: 1 }, 'the room goes on')
    await shop.settled()
    t.strictSame(shop.frames.filter(({ type }) => ['ROOM_CLOSED', 'CLICKED_PAY', 'ERROR'].includes(type)), [])
  }
  t.test('in two databases', (t) => isApart(t, { REDIS_URL: redis.url }, { REDIS_URL: `${redis.url}/1` }))
  t.test('under two prefixes', (t) => isApart(t, { REDIS_URL: redis.url, REDIS_PREFIX: 'shop' }, { REDIS_URL: redis.url, REDIS_PREFIX: 'shop:staging' }))

  t.test('a node ignores the nodes of another database', async (t) => {
    const a = await startNode(t, redis.url, { prefix: 'nodes' })
    const b = await startNode(t, `${redis.url}/1`, { prefix: 'nodes' })
    await b.broker.subscribe('r')
    await a.broker.subscribe('r')
    await b.broker.announce('r', [{ clientId: 'b1', deviceId: 'b1', role: 'device1' }], [])
    await b.publish(1)
    t.match(await a.publish(2), { seq: 1, receivers: 0 })
    await until('the event of the own deployment arrives', () => a.heard.events.length > 0)
    t.strictSame(a.heard.events, [['r', 1, 2]])
    t.strictSame(a.heard.elsewhere, [])
  })
})

t.test('a room may have any name, including the name of a key of the server', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const node = await startNode(t, redis.url)
  for (const roomId of ['nodes', 'rooms', 'probe', 'rooms:count', 'db0']) {
    await node.broker.subscribe(roomId)
    t.match(await node.publish(1, { roomId }), { seq: 1 })
  }
  t.match(await node.broker.listRooms({ limit: 10 }), { rooms: { length: 5 } })
})

t.test('every key and every channel begins with the prefix', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const seen: string[][] = []
  const monitor = await redis.client.monitor()
  t.teardown(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, args: string[]) => seen.push(args))
  const env = { REDIS_URL: `${redis.url}/2`, REDIS_PREFIX: 'shop-1', REQUESTS_PER_SECOND: '100' }
  const [{ app: a }, { app: b }] = [await build(t, { env }), await build(t, { env })]
  await until('both brokers are ready', () => a.broker.ready() && b.broker.ready())
  const [shop, phone] = [await Peer.inject(t, a), await Peer.inject(t, b)]
  await a.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'short', ttlSeconds: 600 } })
  await shop.join('r')
  phone.send('PAYMENT_SUCCESS', { roomId: 'r' }, 'x')
  await shop.next('PAYMENT_SUCCESS')
  t.equal((await b.inject('/api/rooms')).statusCode, 200)
  phone.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
  await phone.next('ROOM_JOINED')
  t.equal((await b.inject({ method: 'DELETE', url: '/api/rooms/r' })).statusCode, 204)
  await shop.next('ROOM_CLOSED')
  await Promise.all([a.broker.tick(), b.broker.tick()])
  await until('a sweep has run', () => seen.some(([name]) => name === 'zcard'))
  await a.close()
  await b.close()

  const names: string[] = []
  for (const [name = '', ...args] of seen) {
    const command = name.toLowerCase()
    if (['hello', 'auth', 'select', 'info', 'ping', 'client', 'time', 'command', 'monitor', 'quit'].includes(command)) continue
    if (command === 'eval' || command === 'evalsha') names.push(...args.slice(2, 2 + Number(args[1])))
    else if (command === 'ssubscribe' || command === 'sunsubscribe' || command === 'del' || command === 'exists') names.push(...args)
    else if (command === 'xread') names.push(args[args.findIndex((arg) => arg.toLowerCase() === 'streams') + 1]!)
    else names.push(args[0]!)
  }
  t.ok(names.length > 50)
  t.strictSame([...new Set(names)].filter((name) => !name.startsWith('shop-1:')), [])
  const channels = seen.filter(([name]) => /^(spublish|ssubscribe|sunsubscribe)$/i.test(name!)).flatMap(([name, ...args]) => /^spublish$/i.test(name!) ? args.slice(0, 1) : args)
  t.ok(channels.length > 5)
  t.strictSame(channels.filter((channel) => !channel.startsWith('shop-1:db2:{')), [], 'each channel contains the database')
  await redis.client.select(2)
  t.strictSame((await redis.client.keys('*')).filter((key) => !key.startsWith('shop-1:')), [])
})
