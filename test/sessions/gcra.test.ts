// Token bucket.
import fc from 'fast-check'
import t from 'tap'
import { Gcra, rateOf } from '../../src/sessions/gcra.js'

const START = 1_795_500_000_000
/** Number of accepted messages, out of `count` at one moment. */
const takeAt = (allowance: Gcra, now: number, count: number) => Array.from({ length: count }, () => allowance.take(now)).filter(Boolean).length

t.test('a full burst is accepted at once, then the rate per second', async (t) => {
  const allowance = new Gcra(rateOf(20, 40))
  t.equal(takeAt(allowance, START, 100), 40)
  t.equal(takeAt(allowance, START + 49, 10), 0)
  t.equal(takeAt(allowance, START + 50, 10), 1)
  t.equal(takeAt(allowance, START + 1050, 100), 20)
  t.equal(takeAt(allowance, START + 3050, 100), 40, 'after a pause exactly one burst is accepted')
  t.equal(takeAt(allowance, START + 100_000, 100), 40)
})

t.test('a client within the rate is never refused', async (t) => {
  const allowance = new Gcra(rateOf(20, 1))
  for (let i = 0; i < 1000; i++) t.equal(allowance.take(START + i * 50), true)
})

t.test('refused messages do not count: the rate is accepted under any load', async (t) => {
  const allowance = new Gcra(rateOf(10, 10))
  let accepted = 0
  for (let now = START; now < START + 10_000; now += 10) accepted += takeAt(allowance, now, 5)
  t.equal(accepted, 10 + 99)
})

t.test('a clock that is set back blocks no client', async (t) => {
  const allowance = new Gcra(rateOf(20, 40))
  takeAt(allowance, START, 100)
  t.equal(takeAt(allowance, START - 3_600_000, 100), 40)
})

t.test('a cost that is no whole number accepts no more messages', async (t) => {
  t.equal(takeAt(new Gcra(rateOf(21, 1)), START, 10), 1)
  t.equal(takeAt(new Gcra(rateOf(7, 3)), START, 10), 3)
})

t.test('in no period are more messages accepted than burst and rate allow', async () => {
  fc.assert(fc.property(fc.array(fc.nat(400), { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 60 }), (pauses, perSecond, burst) => {
    const allowance = new Gcra(rateOf(perSecond, burst))
    const accepted: number[] = []
    let now = START
    for (const pause of pauses) if (allowance.take(now += pause)) accepted.push(now)
    return accepted.every((from, i) => accepted.slice(i).every((to, n) => n + 1 <= burst + (to - from) * perSecond / 1000 + 1e-3))
  }))
})
