// Ten thousand rooms that are settled at once: every webhook arrives.
import t, { type Test } from 'tap'
import { build } from '../../build.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { SECRET, startReceiver } from '../receiver.js'

const ROOMS = 10_000
/** Results that are published at once. */
const AT_ONCE = 100

async function settleRooms (t: Test, env: Record<string, string>): Promise<void> {
  const receiver = await startReceiver(t)
  const { app, logs } = await build(t, { env: { ...env, LOG_LEVEL: 'error', WEBHOOK_SECRET: SECRET, WEBHOOK_URL: receiver.url, WEBHOOK_ALLOW_PRIVATE: 'true' } })
  await until('the node is ready', () => app.broker.ready())
  const begin = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < ROOMS) {
      const roomId = `room-${next++}`
      await app.rooms.publishFromApi({ type: 'PAYMENT_SUCCESS', payload: { roomId, transactionId: 'tx', amount: 1, currency: 'BRL' } }, { principal: 'backend' })
    }
  }))
  const published = performance.now()
  await until(() => `all arrive: ${receiver.received.length}`, () => receiver.received.length >= ROOMS, 120_000)
  const end = performance.now()
  t.equal(new Set(receiver.received.map(({ data: { roomId } }) => roomId)).size, ROOMS)
  t.equal(receiver.received.length, ROOMS, 'each once')
  t.strictSame(logs, [])
  t.comment(`${ROOMS} results in ${Math.round(published - begin)} ms, their webhooks in ${Math.round(end - begin)} ms: ${Math.round(ROOMS / (end - begin) * 60)} thousand in a minute`)
}

t.test('10,000 rooms, in memory', (t) => settleRooms(t, {}))

t.test('10,000 rooms, over Redis', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  await settleRooms(t, { REDIS_URL: url })
})
