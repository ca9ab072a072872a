// The funnel of real payments, over REST.
import t, { type Test } from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

interface Step { step: string, payments: number }

async function payOn (t: Test, nodes: Array<Awaited<ReturnType<typeof build>>['app']>) {
  const [app, other = app] = nodes as [typeof nodes[0], typeof nodes[0]?]
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'a' } })
  const phone = await Peer.inject(t, app)
  for (const type of ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY', 'CLICKED_PAY', 'PAYMENT_ERROR', 'CLICKED_PAY', 'PAYMENT_SUCCESS', 'PAYMENT_SUCCESS']) phone.send(type, { roomId: 'a' })
  await phone.settled()
  await other.inject({ method: 'POST', url: '/api/rooms/a/events', payload: { type: 'PAYMENT_SUCCESS' }, headers: { authorization: 'Bearer key' } })
  const second = await Peer.inject(t, other)
  second.send('ENTERED_SUMMARY', { roomId: 'b' })
  await second.settled()
  const read = async () => (await other.inject('/api/funnel')).json().data as { steps: Step[], paidShare: number }
  await until('all are counted', async () => (await read()).steps[1]!.payments === 2)
  return read
}

t.test('each payment counts once for a step, also with retries', async (t) => {
  const { app } = await build(t)
  const read = await payOn(t, [app])
  const { steps, paidShare } = await read()
  t.strictSame(steps.map(({ step, payments }) => [step, payments]), [
    ['created', 2], ['ENTERED_SUMMARY', 2], ['CLICKED_PROCEED', 1], ['PAYMENT_METHOD_CHANGED', 1], ['DATA_FILLED', 1], ['CLICKED_PAY', 1], ['paid', 1], ['verified', 0]
  ])
  t.equal(paidShare, 0.5)
  const { body } = await app.inject('/metrics')
  t.match(body, 'wsp_payment_steps_total{step="CLICKED_PAY"} 1')
  t.match(body, 'wsp_payment_seconds_count{step="paid"} 1')
  t.equal((await app.inject('/api/funnel?window=month')).statusCode, 400)
})

t.test('over Redis the counts are those of all nodes, and outlive them', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const env = { REDIS_URL: redis.url }
  const nodes = [await build(t, { env }), await build(t, { env })]
  await until('both nodes are ready', () => nodes.every(({ app }) => app.broker.ready()))
  const read = await payOn(t, nodes.map(({ app }) => app))
  const before = await read()
  for (const { app } of nodes) await app.close()
  const { app } = await build(t, { env })
  await until('the new node is ready', () => app.broker.ready())
  t.match((await app.inject('/api/funnel')).json().data.steps, before.steps)
  await redis.kill()
  await until('the node has noticed', () => !app.broker.ready())
  t.equal((await app.inject('/api/funnel')).statusCode, 503)
})
