// Webhooks of payment providers on two nodes over one Redis: one event for each result, one list of refused results, and 503 while Redis is away.
import t, { type Test } from 'tap'
import { MAX_REFUSED, refusedInProcess, refusedInRedis, type RefusedDeliveries } from '../../src/providers/refused.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'
import { ROOM } from './bodies.js'
import { senders, type Sender } from './senders.js'
import { receiver } from './server.js'

const delivery = (timestamp: number) => ({ provider: 'stripe', type: 'PAYMENT_SUCCESS', code: 'ROOM_CLOSED', reason: 'The room is closed.', timestamp } as const)

async function keepsTheLatest (t: Test, refused: RefusedDeliveries): Promise<void> {
  t.strictSame(await refused.list(10), [])
  for (let n = 1; n <= MAX_REFUSED + 5; n++) await refused.add(delivery(n))
  const list = await refused.list(MAX_REFUSED + 5)
  t.equal(list.length, MAX_REFUSED)
  t.strictSame([list[0], list.at(-1)], [delivery(MAX_REFUSED + 5), delivery(6)], 'the latest first')
  t.strictSame(await refused.list(2), list.slice(0, 2))
}

t.test('the refused deliveries of a process are bounded', (t) => keepsTheLatest(t, refusedInProcess()))

t.test('two nodes over one Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  let count = 0
  const nodes = async (t: Test, sender: Sender) => {
    const env = { REDIS_URL: redis.url, REDIS_PREFIX: `providers${++count}` }
    const pair = [await receiver(t, sender, { env }), await receiver(t, sender, { env })] as const
    for (const { app } of pair) await until('the node is ready', () => app.broker.ready())
    return pair
  }

  t.test('the refused deliveries in Redis are bounded', (t) => keepsTheLatest(t, refusedInRedis(redis.client, 'refused')))

  t.test('deliveries of one result at both nodes are one event, which both nodes relay', async (t) => {
    for (const sender of await senders(t)) {
      const [a, b] = await nodes(t, sender)
      const shop = await Peer.inject(t, b.app)
      await shop.join(ROOM)
      const answers = await Promise.all([a, b, a, b].map(({ send }) => send(sender.paid)))
      t.strictSame(answers.map(({ status }) => status), [200, 200, 200, 200], sender.name)
      await shop.next('PAYMENT_SUCCESS')
      await shop.settled()
      t.equal(shop.events.length, 1, sender.name)
      t.match(await a.state(), { status: 'succeeded', paid: 99.9 })
      if (sender.disputed) {
        t.equal((await b.send(sender.disputed.message)).status, 200, `${sender.name}: a dispute at the other node`)
        t.match(await a.state(), { status: 'disputed' })
      }
    }
  })

  t.test('a room is found by its reference, and a refused result is listed, on both nodes', async (t) => {
    const [sender] = await senders(t)
    const [a, b] = await nodes(t, sender!)
    t.equal(await a.ask('POST', '/api/rooms', { roomId: 'the-room', reference: ROOM }), 201)
    t.equal((await b.send(sender!.paid)).status, 200)
    t.match(await a.state('the-room'), { status: 'succeeded' })
    t.equal(await a.ask('DELETE', '/api/rooms/the-room'), 204)
    t.equal((await b.send(sender!.refunded)).status, 422)
    for (const { refused } of [a, b]) t.match(await refused(), [{ provider: 'stripe', type: 'PAYMENT_REFUNDED', roomId: 'the-room', code: 'ROOM_CLOSED' }])
  })

  t.test('while Redis is away the answer is 503, and the result is taken when the provider comes again', async (t) => {
    const [sender] = await senders(t)
    const [{ app, send, state }] = await nodes(t, sender!)
    await redis.kill('SIGKILL')
    await until('the node has noticed', () => !app.broker.ready())
    t.equal((await send(sender!.paid)).status, 503)
    await refusedInRedis({ lpush: async () => { throw new Error('away') }, ltrim: async () => {}, lrange: async () => [] }, 'x').add(delivery(1))
    await redis.start()
    await until('the node is back', async () => (await send(sender!.paid)).status === 200)
    t.match(await state(), { status: 'succeeded' })
  })
})
