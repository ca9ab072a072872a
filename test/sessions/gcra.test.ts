// The token bucket.
import fc from 'fast-check'
import t from 'tap'
import { Gcra, rateOf } from '../../src/sessions/gcra.js'

const START = 1_795_500_000_000
/** How many of so many at one moment are taken. */
const takeAt = (allowance: Gcra, now: number, count: number) => Array.from({ length: count }, () => allowance.take(now)).filter(Boolean).length

t.test('a burst at once, then as many a second as allowed', async (t) => {
  const allowance = new Gcra(rateOf(20, 40))
  t.equal(takeAt(allowance, START, 100), 40)
  t.equal(takeAt(allowance, START + 49, 10), 0)
  t.equal(takeAt(allowance, START + 50, 10), 1)
  t.equal(takeAt(allowance, START + 1050, 100), 20)
  t.equal(takeAt(allowance, START + 3050, 100), 40, 'after a rest the whole burst, and no more')
  t.equal(takeAt(allowance, START + 100_000, 100), 40)
})

t.test('whoever keeps to the rate is never refused', async (t) => {
  const allowance = new Gcra(rateOf(20, 1))
  for (let i = 0; i < 1000; i++) t.equal(allowance.take(START + i * 50), true)
})

t.test('what was refused is not owed: the rate goes through, however much is tried', async (t) => {
  const allowance = new Gcra(rateOf(10, 10))
  let taken = 0
  for (let now = START; now < START + 10_000; now += 10) taken += takeAt(allowance, now, 5)
  t.equal(taken, 10 + 99)
})

t.test('a clock that was put back blocks nobody', async (t) => {
  const allowance = new Gcra(rateOf(20, 40))
  takeAt(allowance, START, 100)
  t.equal(takeAt(allowance, START - 3_600_000, 100), 40)
})

t.test('a cost that is no whole number lets no more through', async (t) => {
  t.equal(takeAt(new Gcra(rateOf(21, 1)), START, 10), 1)
  t.equal(takeAt(new Gcra(rateOf(7, 3)), START, 10), 3)
})

t.test('in no stretch of time more than the burst and the rate allow', async () => {
  fc.assert(fc.property(fc.array(fc.nat(400), { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 60 }), (pauses, perSecond, burst) => {
    const allowance = new Gcra(rateOf(perSecond, burst))
    const taken: number[] = []
    let now = START
    for (const pause of pauses) if (allowance.take(now += pause)) taken.push(now)
    return taken.every((from, i) => taken.slice(i).every((to, n) => n + 1 <= burst + (to - from) * perSecond / 1000 + 1e-3))
  }))
})
