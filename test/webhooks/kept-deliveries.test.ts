// Deliveries in the journal: the contract of the queue, and what the next process finds.
import t, { type Test } from 'tap'
import { Failure } from '../../src/errors.js'
import { DATA_SYNCS } from '../../src/broker/journal/data-sync.js'
import type { WebhookDelivery } from '../../src/protocol/rest-deliveries.js'
import { deliveryOf } from '../../src/webhooks/delivery.js'
import { MAX_DISABLED, MAX_GIVEN_UP } from '../../src/webhooks/delivery-queue.js'
import { KeptDeliveries } from '../../src/webhooks/kept-deliveries.js'
import { MemoryQueue } from '../../src/webhooks/memory-queue.js'
import { isWanted } from '../../src/webhooks/wanted.js'
import { crash, freshFolder, Machine, type Run } from '../broker/journal/fresh.js'
import { until } from '../until.js'
import { changeOf, queueContract, START } from './contract.js'

const wanted = isWanted('payment.succeeded', 'https://shop.example/hook')

function queueOf ({ folder: { kept } }: Run, machine: Machine, maxWaiting?: number) {
  const store = new KeptDeliveries({ kept, isWanted: wanted })
  const now = () => machine.time
  // Its monotonic clock has another beginning than the wall clock, as that of each process.
  const queue = new MemoryQueue({ now, monotonic: () => machine.time - START + 5, store, maxWaiting, onDropped: () => {}, onFailed: (error) => { throw error } })
  queue.restore(store.restore())
  /** Takes a change in, as the record of the change and then its report do. */
  const add = (roomId: string, seq: number, url?: string) => {
    const change = { ...changeOf(roomId, seq), ...(url !== undefined && { webhookUrl: url }) }
    kept.put(store.keepWith(change)!)
    queue.add(deliveryOf(change, url))
    return deliveryOf(change, url)
  }
  const list = async () => (await queue.list(1_000) as WebhookDelivery[]).map(({ roomId, timestamp, status, attempts }) => `${roomId} ${timestamp - START} ${status} ${attempts}`).sort()
  return { queue, store, add, list }
}

async function begin (t: Test) {
  const machine = new Machine(freshFolder(t))
  machine.time = START
  const run = await machine.start()
  return { machine, run, ...queueOf(run, machine) }
}

async function restart (machine: Machine, run: Run) {
  run.folder.journal.flush()
  crash(run)
  const next = await machine.start()
  return { run: next, ...queueOf(next, machine) }
}

for (const sync of DATA_SYNCS) {
  t.test(`the contract of a queue, DATA_SYNC=${sync}`, (t) => {
    queueContract(t, async (t, clock) => {
      const machine = new Machine(freshFolder(t), { sync })
      const run = await machine.start()
      const store = new KeptDeliveries({ kept: run.folder.kept, isWanted: () => true })
      const queue = new MemoryQueue({ now: () => clock.time, monotonic: () => clock.time, store, onDropped: () => {}, onFailed: (error) => t.fail(String(error)) })
      t.teardown(async () => {
        await queue.close(1_000)
        await run.broker.close()
      })
      return {
        queue,
        add: async (change, url) => {
          const own = { ...change, ...(url !== undefined && { webhookUrl: url }) }
          run.folder.kept.put(store.keepWith(own)!)
          queue.add(deliveryOf(own, url))
        },
        tick: async () => {
          queue.tick()
          await run.broker.tick()
        }
      }
    })
    t.end()
  })
}

t.test('what waits is there after a kill, in order, with its tries and its time', async (t) => {
  const { machine, run, queue, add, list } = await begin(t)
  for (const [roomId, seq, url] of [['a', 1], ['b', 1, 'https://own.example/?token=x'], ['a', 2], ['a', 3]] as const) add(roomId, seq, url)
  const { delivery } = queue.first('a')!
  queue.postpone({ ...delivery, attempts: 2, last: { status: 503, error: 'status' } }, 60_000)
  const before = await list()
  const next = await restart(machine, run)
  t.strictSame(await next.list(), before)
  t.match(next.queue.first('a'), { wait: 60_000, delivery: { id: delivery.id, change: { seq: 1, link: { reference: 'order of a' } }, attempts: 2, manual: false, last: { status: 503 } } })
  t.match(next.queue.first('b'), { delivery: { url: 'https://own.example/?token=x', change: { state: { status: 'succeeded' } } } })
  t.ok(next.queue.first('b')!.wait <= 0)
  t.equal(await next.queue.oldest(), START + 1)
  machine.time += 60_000
  const sent: number[] = []
  next.queue.start(async (roomId) => {
    for (let first = next.queue.first(roomId); first; first = next.queue.first(roomId)) {
      if (roomId === 'a') sent.push(first.delivery.change.seq)
      next.queue.settle(first.delivery, 'delivered')
    }
    return undefined
  })
  await until('all are sent', () => sent.length === 3)
  t.strictSame(sent, [1, 2, 3])
  const last = await restart(machine, next.run)
  t.strictSame(await last.list(), [], 'those that were delivered are gone')
  await last.run.broker.close()
})

t.test('the outcome of a delivery is written before the next one of its room is sent, so that one alone comes again after a kill', async (t) => {
  for (const outcome of ['delivered', 'failed', 'disabled'] as const) {
    const { machine, run, queue, add } = await begin(t)
    for (const seq of [1, 2]) add('r', seq)
    run.folder.journal.flush()
    queue.settle(queue.first('r')!.delivery, outcome)
    // Not the end of the round.
    crash(run)
    const next = await machine.start()
    t.equal(queueOf(next, machine).queue.first('r')?.delivery.change.seq, 2, outcome)
    await next.broker.close()
  }
})

t.test('a delivery that was given up can be sent again after a restart, as the first of its room', async (t) => {
  const { machine, run, queue, add } = await begin(t)
  const [given, off] = [add('r', 1), add('r', 2)]
  add('r', 3)
  queue.settle({ ...given, attempts: 10, last: { error: 'timeout' } }, 'failed')
  queue.settle(off, 'disabled')
  const second = await restart(machine, run)
  t.strictSame(await second.list(), ['r 1 failed 10', 'r 2 disabled 0', 'r 3 pending 0'])
  t.match(await second.queue.retry(given.id), { status: 'pending', attempts: 10 })
  t.match(second.queue.first('r'), { delivery: { id: given.id, manual: true, last: { error: 'timeout' } } })
  const third = await restart(machine, second.run)
  t.match(third.queue.first('r'), { delivery: { id: given.id, manual: true, attempts: 10 } })
  third.queue.settle(third.queue.first('r')!.delivery, 'delivered')
  const fourth = await restart(machine, third.run)
  t.strictSame(await fourth.list(), ['r 2 disabled 0', 'r 3 pending 0'])
  t.ok(await fourth.queue.retry(given.id) instanceof Failure, 'the list of what was delivered starts anew')
  await fourth.run.broker.close()
})

t.test('a delivery that an operator wants now is due after a restart as well', async (t) => {
  const { machine, run, queue, add } = await begin(t)
  const delivery = add('r', 1)
  queue.postpone({ ...delivery, attempts: 1 }, 3_600_000)
  await queue.retry(delivery.id)
  const next = await restart(machine, run)
  t.ok(next.queue.first('r')!.wait <= 0)
  await next.run.broker.close()
})

t.test('receivers that are switched off stay so, in their order', async (t) => {
  const { machine, run, queue } = await begin(t)
  const urls = Array.from({ length: MAX_DISABLED + 1 }, (_, n) => `https://${n}.example/`)
  for (const url of urls) queue.setDisabled(url, true)
  queue.setDisabled(urls[5]!, false)
  queue.setDisabled(urls[1]!, true)
  const next = await restart(machine, run)
  t.strictSame([0, 1, 2, 5].map((n) => next.queue.isDisabled(urls[n]!)), [false, true, true, false])
  next.queue.setDisabled('https://new.example/', true)
  next.queue.setDisabled('https://newer.example/', true)
  t.strictSame([1, 2].map((n) => next.queue.isDisabled(urls[n]!)), [true, false], 'the one that was switched off first is tried again')
  await next.run.broker.close()
})

t.test('what is dropped, discarded or forgotten takes no space', async (t) => {
  const { machine, run } = await begin(t)
  const small = queueOf(run, machine, 2)
  for (const seq of [1, 2, 3]) small.add('r', seq)
  small.queue.discard(small.queue.first('r')!.delivery)
  const second = await restart(machine, run)
  t.strictSame(await second.list(), ['r 3 pending 0'])
  second.queue.discard(second.queue.first('r')!.delivery)
  for (let seq = 1; seq <= MAX_GIVEN_UP + 2; seq++) second.queue.settle(second.add('f', seq), 'failed')
  t.equal(second.run.folder.kept.size, MAX_GIVEN_UP)
  const third = await restart(machine, second.run)
  t.ok(await third.queue.retry(deliveryOf(changeOf('f', 2), undefined).id) instanceof Failure)
  t.match(await third.queue.retry(deliveryOf(changeOf('f', 3), undefined).id), { roomId: 'f' })
  await third.run.broker.close()
})

t.test('only a change that becomes a webhook is kept', async (t) => {
  const { run, store } = await begin(t)
  t.equal(store.keepWith({ ...changeOf('r', 1), cause: 'created' }), undefined)
  const none = new KeptDeliveries({ kept: run.folder.kept, isWanted: isWanted('payment.succeeded', undefined) })
  t.equal(none.keepWith(changeOf('r', 1)), undefined)
  const { value } = none.keepWith({ ...changeOf('r', 1), webhookUrl: 'https://own.example/' })!
  t.match(value, { url: 'https://own.example/', status: 'pending', due: 0 })
  t.notMatch(value, { change: { webhookUrl: String } }, 'the URL is there once')
  await run.broker.close()
})
