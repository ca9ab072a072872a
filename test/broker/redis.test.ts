// The Redis broker keeps the same contract as the memory broker, on one server and on a cluster.
import t, { type Test } from 'tap'
import { RedisBroker } from '../../src/broker/redis.js'
import { connect } from '../../src/broker/redis/connection.js'
import { until } from '../build.js'
import { startRedis, withoutRedis } from '../redis.js'
import { brokerContract, LOG_SIZE, RETENTION } from './contract.js'

let count = 0

async function make (t: Test, url: string, prefix = `test${++count}`) {
  let time = 1_000_000
  let epochs = 0
  const node = `node${++count}`
  const broker = new RedisBroker({
    connection: connect(url),
    prefix,
    node,
    logSize: LOG_SIZE,
    retention: RETENTION,
    now: () => time,
    newEpoch: () => `${node}.${++epochs}`,
    onTrouble: (what, error) => { if (what !== 'ready') t.fail('trouble with Redis', { what, error }) }
  })
  t.teardown(() => broker.close())
  await until('the broker is ready', () => broker.ready())
  return {
    broker,
    pass: async (ms: number) => {
      // As the clock would have it: a tick now and then, never later than a room's renewal is due.
      for (let left = ms; left > 0; left -= RETENTION / 4) {
        time += Math.min(left, RETENTION / 4)
        await broker.tick()
      }
    }
  }
}

t.test('the broker contract', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  brokerContract(t, (t) => make(t, url))
})
