// Health of Redis: changes need several refusals or successes in a row, and each change is reported once.
import t, { type Test } from 'tap'
import { Health } from '../../../src/broker/redis/health.js'
import { troubleOf, type Trouble } from '../../../src/broker/redis/trouble.js'

const OOM = troubleOf({ message: 'OOM command not allowed' })
const READONLY = troubleOf({ message: 'READONLY You can\'t write against a read only replica.' })
const REFUSED = troubleOf({ code: 'ECONNREFUSED' })

function startHealth (_t: Test) {
  const clock = { time: 5_000 }
  const reports: string[] = []
  const health = new Health({ now: () => clock.time, onUp: () => reports.push('up'), onDown: ({ code }: Trouble) => reports.push(code) })
  return { clock, reports, health }
}

t.test('the first successful probe after the start reports up', async (t) => {
  const { health, reports } = startHealth(t)
  t.match(health.trouble, { code: 'CONNECTING' })
  health.succeeded()
  t.equal(health.trouble, undefined)
  t.strictSame(reports, ['up'])
})

t.test('a refusal at the start is reported at once', async (t) => {
  const { health, reports } = startHealth(t)
  health.failed(OOM)
  t.strictSame(reports, ['OOM'])
})

t.test('two refusals in a row report down, and three successful probes in a row report up', async (t) => {
  const { health, reports } = startHealth(t)
  health.succeeded()
  health.failed(OOM)
  t.equal(health.trouble, undefined)
  t.equal(health.isSteady, false)
  health.succeeded()
  t.equal(health.isSteady, true)
  health.failed(OOM)
  health.failed(OOM)
  t.equal(health.trouble, OOM)
  for (let n = 0; n < 10; n++) {
    health.succeeded()
    health.succeeded()
    health.failed(OOM)
  }
  t.strictSame(reports, ['up', 'OOM'], 'no flapping')
  for (let n = 0; n < 3; n++) health.succeeded()
  t.strictSame(reports, ['up', 'OOM', 'up'])
})

t.test('a lost connection reports down at once, and one successful probe reports up', async (t) => {
  const { health, reports } = startHealth(t)
  health.succeeded()
  health.lost()
  t.match(health.trouble, { kind: 'unreachable' })
  health.explain(REFUSED)
  health.succeeded()
  t.strictSame(reports, ['up', 'ECONNREFUSED', 'up'])
})

t.test('a loss that ends before its cause is known is reported before its end', async (t) => {
  const { health, reports } = startHealth(t)
  health.succeeded()
  health.lost()
  health.succeeded()
  t.strictSame(reports, ['up', 'CLOSED', 'up'])
})

t.test('a connection that breaks repeatedly must stay good for longer', async (t) => {
  const { health, reports, clock } = startHealth(t)
  health.succeeded()
  for (let n = 0; n < 50; n++) {
    health.lost()
    health.explain(undefined)
    clock.time += 1000
    health.succeeded()
  }
  t.strictSame(reports, ['up', 'CLOSED', 'up', 'CLOSED', 'up', 'CLOSED'])
  for (let n = 0; n < 3; n++) health.succeeded()
  t.equal(health.trouble, undefined)
})

t.test('a connection closed after a refusal stays down for that reason while it reconnects', async (t) => {
  const { health, reports, clock } = startHealth(t)
  health.succeeded()
  for (let n = 0; n < 60; n++) {
    health.failed(READONLY)
    health.lost()
    health.explain(undefined)
    clock.time += 1000
  }
  t.strictSame(reports, ['up', 'READONLY'])
})

t.test('an unreachable Redis is reported again each minute', async (t) => {
  const { health, reports, clock } = startHealth(t)
  for (let second = 0; second <= 180; second++) {
    if (health.wantsCause) health.explain(REFUSED)
    clock.time += 1000
  }
  t.strictSame(reports, ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED'])
})

t.test('a changed cause is reported, and an alternating cause does not fill the log', async (t) => {
  const { health, reports, clock } = startHealth(t)
  for (let second = 0; second < 60; second++) {
    health.failed(second % 2 === 0 ? OOM : READONLY)
    clock.time += 1000
  }
  t.ok(reports.length >= 2 && reports.length <= 6, reports.join(' '))
})

t.test('the first connection may take a moment, but not for ever', async (t) => {
  const { health, reports, clock } = startHealth(t)
  health.lost()
  health.explain(undefined)
  t.strictSame(reports, [])
  clock.time += 10_000
  health.explain(undefined)
  t.strictSame(reports, ['CONNECTING'])
})
