// Whose address it is.
import t from 'tap'
import { networkOf } from '../../src/auth/address.js'

t.test('an IPv4 address stands for itself, however it is written', async (t) => {
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '::FFFF:203.0.113.9']) t.equal(networkOf(address), '203.0.113.9')
})

t.test('an IPv6 address stands for its network of 64 bits', async (t) => {
  for (const address of ['2001:db8:0:7::1', '2001:db8:0:7:ffff:1:2:3', '2001:0DB8:0000:0007::', '2001:db8::7:0:0:0:1']) t.equal(networkOf(address), '2001:db8:0:7::/64', address)
  t.equal(networkOf('2001:db8:0:8::1'), '2001:db8:0:8::/64')
  for (const address of ['::1', '::', '0:0:0:0:1::']) t.equal(networkOf(address), '0:0:0:0::/64', address)
  t.equal(networkOf('fe80::1'), 'fe80:0:0:0::/64')
  t.equal(networkOf('1:2:3:4:5:6:7:8'), '1:2:3:4::/64')
  t.equal(networkOf('1::8'), '1:0:0:0::/64')
})

t.test('what is no address stands for itself', async (t) => {
  for (const text of ['', 'unknown', '1.2.3']) t.equal(networkOf(text), text)
})
