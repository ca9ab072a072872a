// Networks of trusted proxies: accepted forms, and lists that hold every client.
import proxyAddr from '@fastify/proxy-addr'
import t from 'tap'
import { holdEveryClient, isNetwork } from '../../src/auth/networks.js'

t.test('addresses, networks and three names are accepted', async (t) => {
  for (const text of ['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '::ffff:10.0.0.0/104', 'loopback', 'linklocal', 'uniquelocal']) t.equal(isNetwork(text), true, text)
  for (const text of ['', '10.0.0', '10.0.0.0/33', '10.0.0.0/', '::1/129', 'proxy.example', 'true', '*', '10.0.0.0/255.0.0.0']) t.equal(isNetwork(text), false, text)
})

const halves = ['0.0.0.0/1', '128.0.0.0/1']
const quarters = ['2000::/4', '3000::/4']

t.test('a network, or several together, may hold every client', async (t) => {
  const lists = [
    ['0.0.0.0/0'], ['::/0'], ['192.0.2.1/0'], ['2001:db8::1/0'], ['loopback', '10.0.0.1', '0.0.0.0/0'],
    halves, [...halves].reverse(), ['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/3'], ['::/1', '8000::/1'], quarters, [...quarters, '2001:db8::/32'],
    // IPv4 addresses in the form of IPv6 addresses are IPv4 clients.
    ['::ffff:0:0/96'], ['0.0.0.0/1', '::ffff:128.0.0.0/97']
  ]
  for (const list of lists) t.equal(holdEveryClient(list), true, list.join())
})

t.test('a list that leaves out a client does not', async (t) => {
  const lists = [
    [], ['loopback', 'linklocal', 'uniquelocal'], ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], ['10.0.0.1'], ['2001:db8::1'],
    ['0.0.0.0/1'], ['0.0.0.0/1', '0.0.0.0/2'], ['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/4'], ['2000::/4'], ['4000::/2', '0.0.0.0/1'],
    // A network of IPv6 holds IPv4 clients only as mapped addresses.
    ['0.0.0.0/1', '::ffff:0:0/97'], ['::/3', '0.0.0.0/1']
  ]
  for (const list of lists) t.equal(holdEveryClient(list), false, list.join())
})

t.test('the library that trusts the proxies sees the same clients in a network', async (t) => {
  const sees = (list: string[], address: string) => proxyAddr.compile(list)(address, 0)
  for (const address of ['1.1.1.1', '::ffff:198.51.100.7', '223.255.255.255']) {
    t.equal(sees(halves, address), true, address)
    t.equal(sees(['::ffff:0:0/96'], address), true, address)
    t.equal(sees(quarters, address), false, address)
    t.equal(sees(['::/1'], address), false, address)
  }
  for (const address of ['2001:db8::1', '3fff::1']) t.equal(sees(quarters, address), true, address)
})
