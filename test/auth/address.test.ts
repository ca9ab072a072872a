// Addresses of callers: written forms, and networks that count as one caller.
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import proxyAddr from '@fastify/proxy-addr'
import fc from 'fast-check'
import t from 'tap'
import { addressesOf, networkOf } from '../../src/auth/address.js'

t.test('an IPv4 address counts by itself, in every written form', async (t) => {
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '::FFFF:203.0.113.9', '::ffff:cb00:7109', '0:0:0:0:0:ffff:203.0.113.9']) t.equal(networkOf(address), '203.0.113.9')
})

t.test('an IPv6 address counts as its network of 64 bits', async (t) => {
  for (const address of ['2001:db8:0:7::1', '2001:db8:0:7:ffff:1:2:3', '2001:0DB8:0000:0007::', '2001:db8::7:0:0:0:1']) t.equal(networkOf(address), '2001:db8:0:7::/64', address)
  t.equal(networkOf('2001:db8:0:8::1'), '2001:db8:0:8::/64')
  for (const address of ['::1', '::', '0:0:0:0:1::']) t.equal(networkOf(address), '0:0:0:0::/64', address)
  t.equal(networkOf('fe80::1'), 'fe80:0:0:0::/64')
  t.equal(networkOf('1:2:3:4:5:6:7:8'), '1:2:3:4::/64')
  t.equal(networkOf('1::8'), '1:0:0:0::/64')
})

t.test('a text that is no address counts by itself', async (t) => {
  for (const text of ['', 'unknown', '1.2.3']) t.equal(networkOf(text), text)
})

t.test('X-Forwarded-For is reduced to its addresses', async (t) => {
  for (const [header, addresses] of [
    ['192.0.2.1', '192.0.2.1'], ['192.0.2.1:5678', '192.0.2.1'], ['"192.0.2.1:5678"', '192.0.2.1'], [' 192.0.2.1:1 ', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'], ['[2001:db8::1]', '2001:db8::1'], ['[2001:db8::1]:443', '2001:db8::1'], ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['[::ffff:192.0.2.1]:443', '::ffff:192.0.2.1'],
    ['192.0.2.1:1, [2001:db8::1]:2,10.0.0.1:3', '192.0.2.1, 2001:db8::1, 10.0.0.1'], ['192.0.2.1,, ,10.0.0.1', '192.0.2.1, 10.0.0.1'], ['', ''], [' , ', '']
  ] as const) t.equal(addressesOf(header), addresses, header)
})

t.test('an entry that is no address is dropped, with all entries before it', async (t) => {
  for (const entry of [
    'unknown', '_hidden', 'for=192.0.2.1', '192.0.2', '192.0.2.256', '192.0.2.1:port', '192.0.2.1:123456', '192.0.2.1:', ':80', '[192.0.2.1]', '[]', '[2001:db8::1', '2001:db8::1]:1',
    '[2001:db8::1]:1:2', '"192.0.2.1', '0x7f.1', '2130706433', '127.1', '010.0.0.1', 'localhost', '192.0.2.1 192.0.2.2', 'constructor'
  ]) {
    t.equal(addressesOf(entry), '', entry)
    t.equal(addressesOf(`203.0.113.1, ${entry}, 10.0.0.1`), '10.0.0.1', entry)
  }
})

t.test('every X-Forwarded-For gives an address, and a port does not change it', async () => {
  const isTrusted = proxyAddr.compile(['loopback', '10.0.0.0/8'])
  const callerOf = (header: string) => proxyAddr({ headers: { 'x-forwarded-for': addressesOf(header) }, socket: { remoteAddress: '127.0.0.1' } } as never, isTrusted)
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.1', '127.0.0.1', '::1', '::', 'fe80::1%eth0', '::ffff:10.0.0.1', '0:0:0:0:0:ffff:a00:1'))
  const entry = fc.oneof(
    address, fc.tuple(address, fc.nat(70_000)).map(([ip, port]) => ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`),
    fc.string(), fc.constantFrom('"', '[', ']', ':', '%', '__proto__', '[::1%]', '\0', '1.2.3.4/8', '::/0')
  )
  fc.assert(fc.property(fc.array(entry, { maxLength: 5 }), fc.constantFrom(',', ', ', ' ,\t'), (entries, separator) => {
    const header = entries.join(separator)
    assert.notEqual(isIP(callerOf(header)), 0, header)
    assert.equal(addressesOf(addressesOf(header)), addressesOf(header))
    networkOf(callerOf(header))
  }), { numRuns: 2_000 })
  fc.assert(fc.property(address, fc.nat(65_535), fc.nat(65_535), (ip, port, other) => {
    const at = (port: number) => callerOf(ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)
    assert.equal(at(port), at(other))
    assert.equal(at(port), callerOf(ip))
  }))
})
