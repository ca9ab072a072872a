// The funnel: payments by the furthest step that they reached, in memory and in Redis.
import t, { type Test } from 'tap'
import { connect } from '../../src/broker/redis/clients.js'
import { Failure } from '../../src/errors.js'
import { Funnel, LIFETIMES, MAX_FIELDS, type FunnelStore } from '../../src/funnel/funnel.js'
import { MemoryFunnelStore } from '../../src/funnel/memory-store.js'
import { RedisFunnelStore } from '../../src/funnel/redis-store.js'
import { Metrics } from '../../src/metrics/metrics.js'
import { MILESTONES, type Milestone } from '../../src/payment/milestones.js'
import { newPayment } from '../../src/payment/state.js'
import type { FunnelReport, FunnelWindow } from '../../src/protocol/rest-funnel.js'
import { startCluster, startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const HOUR = 3_600_000
const numberOf = (milestone: Milestone) => MILESTONES.indexOf(milestone) + 1

function start (store: FunnelStore) {
  const clock = { time: 500_000 * HOUR }
  const funnel = new Funnel({ store, metrics: new Metrics(), now: () => clock.time })
  /** Lets a payment reach milestones, each some time after the one before. */
  const pay = (milestones: Milestone[], method?: string, pause = 10_000) => {
    let from: { number: number, at: number } | undefined
    let at = clock.time
    funnel.created()
    for (const milestone of milestones) {
      const to = { number: numberOf(milestone), at }
      funnel.advanced({ from, to, state: { ...newPayment(0).state, ...(method !== undefined && { method }) } })
      from = to
      at += pause
    }
  }
  const report = async (window: FunnelWindow) => {
    const report = await funnel.report(window)
    if (report instanceof Failure) throw report
    return report
  }
  return { clock, pay, report, funnel }
}

const payments = ({ steps }: FunnelReport) => steps.map(({ payments }) => payments)

/** @param make an empty store */
function contract (t: Test, make: () => FunnelStore): void {
  t.test('each payment counts once for each step, with the ones that it skipped', async (t) => {
    const { pay, report } = start(make())
    pay(['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY', 'paid', 'verified'], 'Pix')
    pay(['ENTERED_SUMMARY', 'CLICKED_PAY'], 'pix')
    pay(['ENTERED_SUMMARY', 'verified'])
    pay([])
    await until('all are counted', async () => payments(await report('day'))[0] === 4)
    const day = await report('day')
    t.strictSame(payments(day), [4, 3, 3, 3, 3, 3, 2, 2])
    t.strictSame(day.steps.map(({ step }) => step), ['created', ...MILESTONES])
    t.strictSame(day.steps.map(({ lost }) => lost), [0, 1, 0, 0, 0, 0, 1, 0])
    t.strictSame(day.methods, [{ method: 'pix', payments: 2, paid: 1 }, { method: 'unknown', payments: 1, paid: 1 }])
    t.equal(Math.round(day.paidShare! * 100), 67)
    for (const { step, medianSeconds } of day.steps) {
      if (['created', 'ENTERED_SUMMARY'].includes(step)) t.equal(medianSeconds, null, step)
      else t.ok(medianSeconds! > 10 / Math.SQRT2 && medianSeconds! < 10 * Math.SQRT2, `${step}: ${medianSeconds}`)
    }
  })

  t.test('a window has what happened in it', async (t) => {
    const { clock, pay, report } = start(make())
    pay(['ENTERED_SUMMARY'])
    await until('the payment is counted', async () => payments(await report('hour'))[1] === 1)
    clock.time += 54 * 60_000
    t.equal(payments(await report('hour'))[1], 1)
    clock.time += 2 * HOUR
    t.equal(payments(await report('hour'))[1], 0)
    t.equal(payments(await report('day'))[1], 1)
    clock.time += 24 * HOUR
    t.equal(payments(await report('day'))[1], 0)
    t.equal(payments(await report('week'))[1], 1)
    pay(['ENTERED_SUMMARY'])
    await until('the second payment is counted', async () => payments(await report('week'))[1] === 2)
    clock.time += 8 * 24 * HOUR
    t.match(await report('week'), { window: 'week', paidShare: null, methods: [] })
    t.strictSame(payments(await report('week')), Array(8).fill(0))
    const { from, to } = await report('day')
    t.strictSame([to, from], [clock.time, clock.time - clock.time % HOUR - 23 * HOUR])
  })

  t.test('methods are bounded in number and form', async (t) => {
    const { pay, report } = start(make())
    for (let i = 0; i < 2 * MAX_FIELDS; i++) pay(['CLICKED_PAY'], `method ${i}`)
    for (const method of ['<b>', 'x'.repeat(33), 'ação', '']) pay(['CLICKED_PAY'], method)
    await until('all are counted', async () => payments(await report('hour'))[0] === 2 * MAX_FIELDS + 4)
    const { methods } = await report('hour')
    t.ok(methods.length <= MAX_FIELDS + 1, `${methods.length} methods`)
    t.equal(methods[0]!.method, 'other')
    t.equal(methods.reduce((sum, { payments }) => sum + payments, 0), 2 * MAX_FIELDS + 4)
  })
}

t.test('in memory', async (t) => {
  contract(t, () => new MemoryFunnelStore())
  t.test('old periods are dropped', async (t) => {
    const store = new MemoryFunnelStore()
    const { clock, pay } = start(store)
    for (let hour = 0; hour < 400; hour++) {
      pay(['ENTERED_SUMMARY'])
      clock.time += HOUR
    }
    const first = { length: HOUR, start: 500_000 * HOUR }
    t.equal(store.read([first]).size, 0)
    t.equal(store.read([{ ...first, start: first.start + 399 * HOUR }]).get('n:1'), 1)
  })
})

t.test('in Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const connection = connect(redis.url)
  for (const client of connection.clients) client.on('error', () => { /* the test stops Redis */ })
  t.teardown(() => connection.close())
  await until('the connection is ready', () => connection.commands.status === 'ready')
  let count = 0
  const make = () => new RedisFunnelStore({ commands: connection.commands, prefix: `test{${++count}}` })
  contract(t, make)

  t.test('all nodes count together, and the counts expire', async (t) => {
    const [a, b] = [make(), make()]
    const [{ pay: payA }, { pay: payB, report }] = [start(a), start(a)]
    payA(['ENTERED_SUMMARY'])
    payB(['ENTERED_SUMMARY'])
    await until('both are counted', async () => payments(await report('hour'))[1] === 2)
    t.equal(payments(await start(b).report('hour'))[1], 0)
    const keys = await redis.client.keys('test*')
    t.ok(keys.length >= 2)
    for (const key of keys) t.ok(await redis.client.pttl(key) > 0, key)
  })

  t.test('without Redis there is no report, and counting does not fail', async (t) => {
    const { funnel, pay } = start(make())
    const broken = `test{${++count}}`
    await redis.client.set(`${broken}:${HOUR}:${500_000 * HOUR}`, 'a text')
    t.match(await start(new RedisFunnelStore({ commands: connection.commands, prefix: broken })).funnel.report('day'), { code: 'UNAVAILABLE' }, 'a key of another type')
    await redis.kill()
    pay(['ENTERED_SUMMARY'])
    await until('Redis is gone', async () => 'code' in await funnel.report('hour'))
    t.match(await funnel.report('hour'), { code: 'UNAVAILABLE' })
    pay(['ENTERED_SUMMARY'])
  })
})

t.test('in a cluster each count reaches the shard of its key, also in one turn with others', { skip: withoutRedis }, async (t) => {
  const { url } = await startCluster(t)
  const connection = connect(url)
  t.teardown(() => connection.close())
  await until('the connection is ready', () => connection.commands.status === 'ready')
  const periods = [...LIFETIMES.keys()].map((length) => ({ length, start: 0 }))
  const stores = Array.from({ length: 12 }, (_, n) => new RedisFunnelStore({ commands: connection.commands, prefix: `test{${n}}` }))
  for (const store of stores) store.add(periods, ['n:1'])
  await until('all are counted', async () => {
    const sums = await Promise.all(stores.map((store) => store.read(periods)))
    return sums.every((each) => !('code' in each) && each.get('n:1') === 2)
  })
})
