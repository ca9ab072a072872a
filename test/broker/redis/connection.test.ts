// The address of Redis: what is taken, and what is refused.
import t from 'tap'
import { parseAddress } from '../../../src/broker/redis/address.js'
import { connect } from '../../../src/broker/redis/connection.js'

t.test('one server', async (t) => {
  t.match(parseAddress('redis://localhost'), { kind: 'server', hosts: [{ host: 'localhost', port: 6379 }], path: '', options: {} })
  t.match(parseAddress('redis://redis.example:6380/2'), { hosts: [{ host: 'redis.example', port: 6380 }], path: '2' })
  t.strictSame(parseAddress('redis://:p%40ss@h')?.options, { password: 'p@ss' })
  t.strictSame(parseAddress('rediss://user:secret@h')?.options, { username: 'user', password: 'secret', tls: {} })
  t.match(parseAddress('redis://[::1]:7000'), { hosts: [{ host: '::1', port: 7000 }] })
})

t.test('Sentinel and cluster', async (t) => {
  t.match(parseAddress('redis+sentinel://a,b:26380/mymaster'), { kind: 'sentinel', hosts: [{ host: 'a', port: 26379 }, { host: 'b', port: 26380 }], path: 'mymaster' })
  t.match(parseAddress('rediss+cluster://:p@a:1,b:2'), { kind: 'cluster', hosts: [{ host: 'a', port: 1 }, { host: 'b', port: 2 }], options: { password: 'p', tls: {} } })
})

t.test('anything else is refused', async (t) => {
  for (const url of [
    'localhost', 'http://h', 'redis://', 'redis://h:x', 'redis://h:99999', 'redis://a,b', 'redis://h/name', 'redis+sentinel://a', 'redis+cluster://a/0',
    'redis://h/0/1', 'redis://h?x=1', 'redis://a b', 'redis+other://h', 'redis://h:0', 'redis://:%zz@h', 'redis://%e0%a4@h'
  ]) t.equal(parseAddress(url), undefined, url)
  t.throws(() => connect('http://h'))
})
