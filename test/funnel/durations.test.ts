// Bins of durations and the quantiles read from them.
import t from 'tap'
import { binOf, quantileOf } from '../../src/funnel/durations.js'

t.test('a quantile is at most one bin away from the exact one', async (t) => {
  for (const [name, durations] of Object.entries({
    even: Array.from({ length: 1000 }, (_, i) => i * 60),
    short: Array.from({ length: 1000 }, (_, i) => 200 + i),
    long: Array.from({ length: 1000 }, (_, i) => 1000 * 1.01 ** i)
  })) {
    const bins = new Map<number, number>()
    for (const duration of durations) bins.set(binOf(duration), (bins.get(binOf(duration)) ?? 0) + 1)
    for (const share of [0.1, 0.5, 0.95]) {
      const exact = durations[Math.floor(share * durations.length)]! / 1000
      const ratio = quantileOf(bins, share)! / exact
      t.ok(ratio > 1 / Math.SQRT2 && ratio < Math.SQRT2, `${name}, ${share}: ${ratio}`)
    }
  }
})

t.test('all durations have a bin, and an empty set has no quantile', async (t) => {
  t.equal(quantileOf(new Map(), 0.5), null)
  t.strictSame([-5, 0, 99, 100, 150, 1e12].map(binOf), [0, 0, 0, 1, 2, 43])
  t.equal(quantileOf(new Map([[0, 2]]), 0.5), 0.05)
})
