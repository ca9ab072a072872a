// FastHistogram: its text equals that of the histogram of prom-client.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import t from 'tap'
import { FastHistogram } from '../../src/metrics/fast-histogram.js'

t.test('the same durations give the same text as the histogram of prom-client', async (t) => {
  const seconds = fc.integer({ min: 1, max: 10_000_000 }).map((us) => us / 1e6)
  const bounds = fc.uniqueArray(seconds, { minLength: 1, maxLength: 8 }).map((bounds) => bounds.sort((a, b) => a - b))
  let beyond = 0
  await fc.assert(fc.asyncProperty(bounds, fc.array(seconds, { maxLength: 30 }), async (buckets, durations) => {
    const [ours, theirs] = [new Registry(), new Registry()]
    const options = { name: 'a_seconds', help: 'How long.', buckets }
    const tally = new FastHistogram({ ...options, registers: [ours] })
    const histogram = new Histogram({ ...options, registers: [theirs] })
    // Durations at a bound are within it.
    for (const duration of [...durations, ...buckets]) {
      tally.observe(duration)
      histogram.observe(duration)
      if (duration > buckets.at(-1)!) beyond++
    }
    assert.equal(await ours.metrics(), await theirs.metrics())
    ours.resetMetrics()
    tally.observe(0.5, 2)
    const again = new Registry()
    const anew = new Histogram({ ...options, registers: [again] })
    for (let times = 0; times < 2; times++) anew.observe(0.5)
    assert.equal(await ours.metrics(), await again.metrics())
  }))
  t.ok(beyond > 20, `${beyond} durations were beyond the last bound`)
})

t.test('a name can be registered only once', async (t) => {
  const registry = new Registry()
  const options = { name: 'a_seconds', help: 'How long.', buckets: [1], registers: [registry] }
  const register = () => new FastHistogram(options)
  register()
  t.throws(register, /already been registered/)
})
