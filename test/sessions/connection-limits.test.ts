// How many connections are taken.
import t from 'tap'
import { Admission } from '../../src/sessions/connection-limits.js'

t.test('without limits everyone comes in', async (t) => {
  const admission = new Admission({ maxConnections: 0, maxPerAddress: 0 })
  for (let i = 0; i < 1000; i++) admission.enter('1.1.1.1')
  t.equal(admission.refusal('1.1.1.1'), undefined)
})

t.test('as many in all as there may be, and one more for each that leaves', async (t) => {
  const admission = new Admission({ maxConnections: 2, maxPerAddress: 0 })
  admission.enter('1.1.1.1')
  t.equal(admission.refusal('3.3.3.3'), undefined)
  admission.enter('2.2.2.2')
  t.match(admission.refusal('3.3.3.3'), { code: 'UNAVAILABLE', status: 503 })
  admission.leave('1.1.1.1')
  t.equal(admission.refusal('3.3.3.3'), undefined)
})

t.test('as many from one address as there may be; others are not concerned', async (t) => {
  const admission = new Admission({ maxConnections: 0, maxPerAddress: 2 })
  admission.enter('2001:db8::1')
  admission.enter('2001:db8::2')
  t.match(admission.refusal('2001:db8::3'), { code: 'RATE_LIMITED', status: 429 }, 'a network of IPv6 is one caller')
  t.equal(admission.refusal('2001:db8:0:1::1'), undefined)
  t.equal(admission.refusal('1.1.1.1'), undefined)
  admission.leave('2001:db8::1')
  t.equal(admission.refusal('2001:db8::3'), undefined)
})
