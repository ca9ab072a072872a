// Up and down: not at the first refusal, not at the first success, and each change told once.
import t, { type Test } from 'tap'
import { Health } from '../../../src/broker/redis/health.js'
import { troubleOf, type Trouble } from '../../../src/broker/redis/trouble.js'

const OOM = troubleOf({ message: 'OOM command not allowed' })
const READONLY = troubleOf({ message: 'READONLY You can\'t write against a read only replica.' })
const REFUSED = troubleOf({ code: 'ECONNREFUSED' })

function startHealth (_t: Test) {
  const clock = { time: 5_000 }
  const told: string[] = []
  const health = new Health({ now: () => clock.time, onUp: () => told.push('up'), onDown: ({ code }: Trouble) => told.push(code) })
  return { clock, told, health }
}

t.test('the first good probe after the start is enough', async (t) => {
  const { health, told } = startHealth(t)
  t.match(health.trouble, { code: 'CONNECTING' })
  health.succeeded()
  t.equal(health.trouble, undefined)
  t.strictSame(told, ['up'])
})

t.test('a refusal at the start is told at once', async (t) => {
  const { health, told } = startHealth(t)
  health.failed(OOM)
  t.strictSame(told, ['OOM'])
})

t.test('one refusal changes nothing, two in a row do, and three good probes in a row end it', async (t) => {
  const { health, told } = startHealth(t)
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
  t.strictSame(told, ['up', 'OOM'], 'no flapping')
  for (let n = 0; n < 3; n++) health.succeeded()
  t.strictSame(told, ['up', 'OOM', 'up'])
})

t.test('a lost connection counts at once, and one good probe ends it', async (t) => {
  const { health, told } = startHealth(t)
  health.succeeded()
  health.lost()
  t.match(health.trouble, { kind: 'unreachable' })
  health.explain(REFUSED)
  health.succeeded()
  t.strictSame(told, ['up', 'ECONNREFUSED', 'up'])
})

t.test('a loss that is over before its cause was found is told, before its end', async (t) => {
  const { health, told } = startHealth(t)
  health.succeeded()
  health.lost()
  health.succeeded()
  t.strictSame(told, ['up', 'CLOSED', 'up'])
})

t.test('a connection that keeps breaking must be good for longer', async (t) => {
  const { health, told, clock } = startHealth(t)
  health.succeeded()
  for (let n = 0; n < 50; n++) {
    health.lost()
    health.explain(undefined)
    clock.time += 1000
    health.succeeded()
  }
  t.strictSame(told, ['up', 'CLOSED', 'up', 'CLOSED', 'up', 'CLOSED'])
  for (let n = 0; n < 3; n++) health.succeeded()
  t.equal(health.trouble, undefined)
})

t.test('a connection that was left because of a refusal is down for that, also while it is made anew', async (t) => {
  const { health, told, clock } = startHealth(t)
  health.succeeded()
  for (let n = 0; n < 60; n++) {
    health.failed(READONLY)
    health.lost()
    health.explain(undefined)
    clock.time += 1000
  }
  t.strictSame(told, ['up', 'READONLY'])
})

t.test('a Redis that cannot be reached is told again each minute', async (t) => {
  const { health, told, clock } = startHealth(t)
  for (let second = 0; second <= 180; second++) {
    if (health.wantsCause) health.explain(REFUSED)
    clock.time += 1000
  }
  t.strictSame(told, ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED'])
})

t.test('another cause is told, and one that changes to and fro does not fill the log', async (t) => {
  const { health, told, clock } = startHealth(t)
  for (let second = 0; second < 60; second++) {
    health.failed(second % 2 === 0 ? OOM : READONLY)
    clock.time += 1000
  }
  t.ok(told.length >= 2 && told.length <= 6, told.join(' '))
})

t.test('to connect for the first time may take a moment, and not for ever', async (t) => {
  const { health, told, clock } = startHealth(t)
  health.lost()
  health.explain(undefined)
  t.strictSame(told, [])
  clock.time += 10_000
  health.explain(undefined)
  t.strictSame(told, ['CONNECTING'])
})
