// MemoryQueue: the contract, and its bounds.
import t, { type Test } from 'tap'
import type { Failure } from '../../src/errors.js'
import type { WebhookDelivery } from '../../src/protocol/rest-deliveries.js'
import { deliveryOf } from '../../src/webhooks/delivery.js'
import { MAX_DELIVERED, MAX_DISABLED, type Delivery, type DeliveryQueue } from '../../src/webhooks/delivery-queue.js'
import { MemoryQueue } from '../../src/webhooks/memory-queue.js'
import { until } from '../until.js'
import { changeOf, queueContract, START, type TestClock } from './contract.js'

function startMemory (t: Test, clock: TestClock, maxWaiting?: number) {
  const dropped: Delivery[] = []
  const failed: unknown[] = []
  const now = () => clock.time
  const queue = new MemoryQueue({ now, monotonic: now, onDropped: (delivery) => dropped.push(delivery), onFailed: (error) => failed.push(error), maxWaiting })
  t.teardown(() => queue.close(1_000))
  return { queue, dropped, failed }
}

queueContract(t, async (t, clock) => {
  const { queue } = startMemory(t, clock)
  return { queue, add: async (change, url) => queue.add(deliveryOf(change, url)), tick: async () => queue.tick() }
})

const list = async (queue: DeliveryQueue) => await queue.list(100_000) as Exclude<WebhookDelivery[], Failure>

t.test('beyond the bound the oldest delivery is dropped, also one that is under way', async (t) => {
  const { queue, dropped } = startMemory(t, { time: START }, 3)
  let end = () => {}
  queue.start(async (roomId) => {
    const { delivery } = queue.first(roomId)!
    if (delivery.change.seq > 1) return 60_000
    await new Promise<void>((resolve) => { end = resolve })
    queue.settle(delivery, 'delivered')
    return undefined
  })
  queue.add(deliveryOf(changeOf('r', 1), undefined))
  for (const seq of [2, 3, 4, 5]) queue.add(deliveryOf(changeOf('r', seq), undefined))
  t.strictSame(dropped.map(({ change: { seq } }) => seq), [1, 2])
  end()
  await until('the first one is delivered', async () => (await list(queue)).length === 4)
  t.strictSame((await list(queue)).map(({ timestamp, status }) => [timestamp - START, status]), [[5, 'pending'], [4, 'pending'], [3, 'pending'], [1, 'delivered']])
})

t.test('the lists of what is over are bounded', async (t) => {
  const { queue } = startMemory(t, { time: START })
  for (let seq = 1; seq <= MAX_DELIVERED + 10; seq++) {
    const delivery = deliveryOf(changeOf('r', seq), undefined)
    queue.add(delivery)
    queue.settle(delivery, 'delivered')
  }
  t.equal((await list(queue)).length, MAX_DELIVERED)
  for (let n = 0; n <= MAX_DISABLED; n++) queue.setDisabled(`https://${n}.example/`, true)
  t.strictSame([queue.isDisabled('https://0.example/'), queue.isDisabled('https://1.example/')], [false, true])
})

t.test('a bug in the work on a room is reported, and the room is tried again later', async (t) => {
  const clock = { time: START }
  const { queue, failed } = startMemory(t, clock)
  let calls = 0
  queue.start(async () => {
    if (++calls === 1) throw new Error('bug')
    return undefined
  })
  queue.add(deliveryOf(changeOf('r', 1), undefined))
  await until('the bug is reported', () => failed.length === 1)
  queue.tick()
  t.equal(calls, 1)
  clock.time += 60_000
  queue.tick()
  t.equal(calls, 2)
})
