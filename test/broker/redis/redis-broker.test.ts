// Redis broker: it fulfils the broker contract on one server and on a cluster.
import t from 'tap'
import { draftEvent } from '../../../src/broker/event-draft.js'
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

t.test('a result that comes before any node has looked at a passed deadline is late too', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  const { broker, clock } = await startBroker(t, url)
  await broker.createRoom('r', { ttl: 1000 })
  clock.time += 2000
  t.match(await broker.publish('r', draftEvent({ type: 'PAYMENT_SUCCESS', payload: { roomId: 'r' } }, { source: 'api', verified: true, timestamp: 5 }), true), { seq: 2 })
  t.match(await broker.read('r', { seq: 0 }), { seq: 2, state: { status: 'succeeded', outcome: { late: true } } })
})
