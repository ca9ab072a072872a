// RedisQueue: the contract, over one server and over a cluster.
import t from 'tap'
import { startCluster, startRedis, withoutRedis } from '../../redis.js'
import { queueContract } from '../contract.js'
import { startRedisQueue } from './queue.js'

t.test('the contract over one server', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  queueContract(t, (t, clock) => startRedisQueue(t, url, clock))
})

t.test('the contract over a cluster', { skip: withoutRedis }, async (t) => {
  const { url } = await startCluster(t)
  queueContract(t, (t, clock) => startRedisQueue(t, url, clock))
})
