// Redis that refuses SUNSUBSCRIBE on a connection without subscriptions, as Valkey does from 8.0 on: it is used like every Redis.
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startCluster, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { startBroker, startPair } from './node.js'

const REFUSAL = "-NOSUB 'sunsubscribe' command executed not in subscribed mode\r\n"

/** Starts a proxy that answers SUNSUBSCRIBE itself until the connection has subscribed to a channel. */
async function startRefusing (t: Test, target: number, answer = REFUSAL): Promise<{ port: number, refused: () => number }> {
  let refused = 0
  const sockets = new Set<net.Socket>()
  const server = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1')
    let subscribed = false
    near.on('data', (bytes) => {
      const text = String(bytes).toLowerCase()
      subscribed ||= text.includes('\r\nssubscribe\r\n')
      if (subscribed || !text.includes('\r\nsunsubscribe\r\n')) return far.write(bytes)
      refused++
      near.write(answer)
    })
    far.pipe(near)
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, refused: () => refused }
}

/** Starts a cluster with such a proxy in front of each master: a connection to one of them has no subscriptions. */
async function startRefusingCluster (t: Test, answer?: string) {
  const proxies: Array<Awaited<ReturnType<typeof startRefusing>>> = []
  await startCluster(t, 2, [], {
    nodeArgs: async ({ port }) => {
      const proxy = await startRefusing(t, port, answer)
      proxies.push(proxy)
      return ['--cluster-announce-port', String(proxy.port)]
    }
  })
  return { url: `redis+cluster://127.0.0.1:${proxies[0]!.port}`, refusals: () => proxies.map(({ refused }) => refused()) }
}

t.test('the refusal is no trouble, since the right to the command is checked before', { skip: withoutRedis }, async (t) => {
  const { url, refusals } = await startRefusingCluster(t)
  const [a, b] = await startPair(t, url)
  t.ok(refusals().some((count) => count > 0), 'a master has refused it')
  await b.broker.subscribe('r')
  t.match(await a.publish(1), { seq: 1, isNew: true })
  await until('the other node received the event', () => b.heard.events.length === 1)
})

t.test('another refusal of the same command is trouble', { skip: withoutRedis }, async (t) => {
  const { url } = await startRefusingCluster(t, "-NOPERM this user has no permissions to run the 'sunsubscribe' command\r\n")
  const { broker, news } = await startBroker(t, url, { mayFail: true, mayBeDown: true })
  await until('it is reported', () => news.length > 0)
  t.match(news, [{ what: 'down', trouble: { kind: 'refused', code: 'NOPERM', reason: /SUNSUBSCRIBE/ } }])
  t.notOk(broker.ready())
})
