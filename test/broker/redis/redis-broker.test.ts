// Redis broker: it fulfils the broker contract on one server and on a cluster.
import t from 'tap'
import { startCluster, startRedis, withoutRedis } from '../../redis.js'
import { brokerContract } from '../contract.js'
import { startBroker } from './node.js'

t.test('the broker contract', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  brokerContract(t, (t) => startBroker(t, url))
})

t.test('the broker contract on a cluster of three masters', { skip: withoutRedis }, async (t) => {
  const { url } = await startCluster(t)
  brokerContract(t, (t) => startBroker(t, url))
})
