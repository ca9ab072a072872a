// Silence of Redis: a node that was starved of CPU reads the replies that have arrived meanwhile, and a Redis that does not answer is given up in time.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Redis } from 'ioredis'
import { closeSilent } from '../../../src/broker/redis/silence.js'
import { startCluster, startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { startNode } from './node.js'

/** Longer than the silence after which a connection counts as dead, ms. */
const STARVED = 2_500

/** Keeps this process from running anything else, as a machine without CPU time does. */
function starve (): void { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STARVED) }

t.test('a node that was starved of CPU has the answer of a Redis that was well', { skip: withoutRedis }, async (t) => {
  for (const [kind, url] of [['one server', (await startRedis(t)).url], ['a cluster', (await startCluster(t)).url]] as const) {
    t.test(kind, async (t) => {
      const node = await startNode(t, url)
      await node.broker.subscribe('r')
      const answers = [1, 2].map((n) => node.publish(n))
      // The events of this turn are on their way to Redis, which answers at once.
      await turn()
      await turn()
      starve()
      t.match(await Promise.all(answers), [{ seq: 1 }, { seq: 2 }])
      t.ok(node.broker.ready())
      t.strictSame(node.news.map(({ what }) => what), ['up'], 'the connections stay')
    })
  }
})

t.test('a connection on which a command waits is closed after the silence, and one on which none does stays', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const client = new Redis({ port: redis.port, host: '127.0.0.1', retryStrategy: () => null, maxRetriesPerRequest: 0 })
  const errors: string[] = []
  client.on('error', ({ message }) => errors.push(message))
  closeSilent(client, 500)
  t.teardown(() => client.disconnect())
  await until('the client is connected', () => client.status === 'ready')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  t.equal(await client.ping(), 'PONG')
  process.kill(redis.pid, 'SIGSTOP')
  t.teardown(() => process.kill(redis.pid, 'SIGCONT'))
  const start = performance.now()
  await t.rejects(client.ping())
  t.ok(performance.now() - start >= 500)
  t.strictSame(errors, ['Socket timeout'])
})
