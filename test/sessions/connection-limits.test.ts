// Limits of the number of connections.
import t from 'tap'
import { ConnectionLimits } from '../../src/sessions/connection-limits.js'

t.test('without limits every connection is accepted', async (t) => {
  const admission = new ConnectionLimits({ maxConnections: 0, maxPerAddress: 0 })
  for (let i = 0; i < 1000; i++) admission.acquire('1.1.1.1')
  t.equal(admission.check('1.1.1.1'), undefined)
})

t.test('connections are accepted up to the maximum, and another one after each release', async (t) => {
  const admission = new ConnectionLimits({ maxConnections: 2, maxPerAddress: 0 })
  admission.acquire('1.1.1.1')
  t.equal(admission.check('3.3.3.3'), undefined)
  admission.acquire('2.2.2.2')
  t.match(admission.check('3.3.3.3'), { code: 'UNAVAILABLE', status: 503 })
  admission.release('1.1.1.1')
  t.equal(admission.check('3.3.3.3'), undefined)
})

t.test('connections of one address are accepted up to its maximum; other addresses are not affected', async (t) => {
  const admission = new ConnectionLimits({ maxConnections: 0, maxPerAddress: 2 })
  admission.acquire('2001:db8::1')
  admission.acquire('2001:db8::2')
  t.match(admission.check('2001:db8::3'), { code: 'RATE_LIMITED', status: 429 }, 'a network of IPv6 counts as one address')
  t.equal(admission.check('2001:db8:0:1::1'), undefined)
  t.equal(admission.check('1.1.1.1'), undefined)
  admission.release('2001:db8::1')
  t.equal(admission.check('2001:db8::3'), undefined)
})
