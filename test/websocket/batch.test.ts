// Batch: its clocks are read once, and its writes are flushed at its end.
import t from 'tap'
import { Batch } from '../../src/websocket/batch.js'

/** Creates a batch on clocks that the test advances, with the flushes of two writers and the reported latencies. @param hasFirst with a writer that precedes all others */
function setUp ({ hasFirst = false } = {}) {
  const clock = { now: 1_000, monotonic: 5, reads: 0 }
  const flushed: string[] = []
  const latencies: Array<[number, number]> = []
  const batch = new Batch({
    now: () => {
      clock.reads++
      return clock.now
    },
    monotonic: () => clock.monotonic,
    onEvents: (latency, events) => { latencies.push([latency, events]) },
    ...(hasFirst && { first: { flush: () => { flushed.push('first') } } })
  })
  const writer = (name: string) => ({ flush: () => { flushed.push(`${name} ${batch.isOpen ? 'within' : 'after'}`) } })
  return { batch, clock, flushed, latencies, one: writer('one'), two: writer('two') }
}

t.test('the clocks are read once, at the start', async (t) => {
  const { batch, clock } = setUp()
  batch.begin()
  clock.now = 2_000
  clock.monotonic = 6
  t.strictSame([batch.now, batch.startedAt, clock.reads], [1_000, 5, 1])
  batch.end()
  batch.run(() => t.strictSame([batch.now, batch.startedAt, clock.reads], [2_000, 6, 2]))
})

t.test('writers are flushed once, in order, at the end', async (t) => {
  const { batch, flushed, one, two } = setUp()
  batch.run(() => {
    batch.add(one)
    batch.add(two)
    t.strictSame(flushed, [])
  })
  t.strictSame(flushed, ['one after', 'two after'])
  batch.run(() => {})
  t.equal(flushed.length, 2)
})

t.test('outside of a batch, writers are flushed at the end of the tick', async (t) => {
  const { batch, flushed, one, two } = setUp()
  batch.add(one)
  batch.add(two)
  t.strictSame(flushed, [])
  await new Promise<void>((resolve) => { process.nextTick(resolve) })
  t.strictSame(flushed, ['one after', 'two after'])
})

t.test('a nested batch is part of the outer one', async (t) => {
  const { batch, clock, flushed, latencies, one, two } = setUp()
  batch.run(() => {
    batch.add(one)
    clock.monotonic = 7
    batch.run(() => {
      batch.add(two)
      batch.countEvent()
    })
    t.strictSame([flushed, batch.startedAt, batch.isOpen], [[], 5, true])
  })
  t.strictSame([flushed, latencies, batch.isOpen], [['one after', 'two after'], [[2, 1]], false])
})

t.test('the latency of events lasts until the last write; a batch without events reports none', async (t) => {
  const { batch, clock, latencies } = setUp()
  batch.run(() => {
    batch.countEvent()
    batch.countEvent()
    batch.add({ flush: () => { clock.monotonic += 3 } })
  })
  batch.run(() => {})
  t.strictSame(latencies, [[3, 2]])
})

t.test('an error in a batch ends the batch', async (t) => {
  const { batch, flushed, one } = setUp()
  t.throws(() => batch.run(() => {
    batch.add(one)
    throw new Error('a bug')
  }), { message: 'a bug' })
  t.strictSame([flushed, batch.isOpen], [['one after'], false])
})

t.test('two batches of one process are independent', async (t) => {
  const [first, second] = [setUp(), setUp()]
  first.batch.run(() => {
    second.batch.run(() => second.batch.add(second.one))
    t.strictSame([second.flushed, second.batch.isOpen, first.batch.isOpen], [['one after'], false, true])
  })
})

t.test('with a writer that precedes all others', (t) => {
  const round = () => new Promise<void>((resolve) => { setImmediate(resolve) })

  t.test('all batches of a round are flushed together, behind it', async (t) => {
    const { batch, clock, flushed, latencies, one, two } = setUp({ hasFirst: true })
    batch.run(() => {
      batch.add(one)
      batch.countEvent()
    })
    clock.monotonic = 7
    batch.run(() => {
      batch.add(two)
      batch.countEvent()
      batch.countEvent()
    })
    batch.run(() => {})
    t.strictSame([flushed, latencies], [[], []])
    clock.monotonic = 8
    await round()
    t.strictSame(flushed, ['first', 'one after', 'two after'])
    t.strictSame(latencies, [[3, 1], [1, 2]], 'the latency of an event lasts until it is written')
    await round()
    t.equal(flushed.length, 3, 'a round without batches writes nothing')
  })

  t.test('outside of a batch, writers are flushed at the end of the round', async (t) => {
    const { batch, flushed, one, two } = setUp({ hasFirst: true })
    batch.add(one)
    batch.add(two)
    await new Promise<void>((resolve) => { process.nextTick(resolve) })
    t.strictSame(flushed, [])
    await round()
    t.strictSame(flushed, ['first', 'one after', 'two after'])
  })

  t.test('code that writes by another way flushes it first', async (t) => {
    const { batch, flushed } = setUp({ hasFirst: true })
    batch.run(() => batch.settle())
    t.strictSame(flushed, ['first'])
    setUp().batch.settle()
  })
  t.end()
})
