// RedisQueue: the contract, over one server and over a cluster.
import t from 'tap'
import { startCluster, startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { changeOf, queueContract, START } from '../contract.js'
import { startRedisQueue } from './queue.js'

t.test('the contract over one server', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  queueContract(t, (t, clock) => startRedisQueue(t, url, clock))
})

t.test('the contract over a cluster', { skip: withoutRedis }, async (t) => {
  const { url, servers } = await startCluster(t)
  queueContract(t, (t, clock) => startRedisQueue(t, url, clock))

  t.test('outboxes without a job are found on every shard', async (t) => {
    const { queue, append, jobs, prefix } = await startRedisQueue(t, url, { time: START })
    const rooms = Array.from({ length: 30 }, (_, n) => `room-${n}`)
    for (const roomId of rooms) await append(changeOf(roomId, 1))
    const onShards = await Promise.all(servers.map(async ({ client }) => (await client.keys(`${prefix}:*:outbox`)).length))
    t.ok(onShards.every((count) => count > 0), `${onShards}`)
    await until('all have a job', async () => {
      await queue.tick()
      return await jobs.getWaitingCount() === rooms.length
    })
  })
})
