// Addresses of Redis: accepted forms, and refused ones.
import t from 'tap'
import { parseAddress } from '../../../src/broker/redis/address.js'
import { connect } from '../../../src/broker/redis/clients.js'

t.test('an address of one server is accepted', async (t) => {
  t.strictSame(parseAddress('redis://localhost'), { kind: 'server', hosts: [{ host: 'localhost', port: 6379 }], name: '', options: { db: 0 } })
  t.match(parseAddress('redis://redis.example:6380/2'), { hosts: [{ host: 'redis.example', port: 6380 }], options: { db: 2 } })
  t.match(parseAddress('redis://h/2147483647'), { options: { db: 2_147_483_647 } })
  t.match(parseAddress('redis://h/'), { options: { db: 0 } })
  t.match(parseAddress('redis://:p%40ss@h'), { options: { username: undefined, password: 'p@ss' } })
  t.match(parseAddress('rediss://user:secret@h'), { options: { username: 'user', password: 'secret', tls: {} } })
  t.match(parseAddress('redis://[::1]:7000'), { hosts: [{ host: '::1', port: 7000 }] })
  t.match(parseAddress('rediss://[::ffff:10.0.0.1]'), { hosts: [{ host: '::ffff:10.0.0.1', port: 6379 }] })
})

t.test('an address of a Unix socket is accepted', async (t) => {
  t.strictSame(parseAddress('redis+unix:///run/redis.sock'), { kind: 'server', hosts: [], name: '', options: { path: '/run/redis.sock', db: 0 } })
  t.match(parseAddress('redis+unix://user:p%2Fw@/run/a%20b?db=3'), { options: { username: 'user', password: 'p/w', path: '/run/a b', db: 3 } })
})

t.test('addresses of Sentinel and of a cluster are accepted', async (t) => {
  t.match(parseAddress('redis+sentinel://a,[::1]:26380/mymaster'), { kind: 'sentinel', hosts: [{ host: 'a', port: 26379 }, { host: '::1', port: 26380 }], name: 'mymaster' })
  t.strictSame(parseAddress('rediss+cluster://:p@a:1,b:2'), { kind: 'cluster', hosts: [{ host: 'a', port: 1 }, { host: 'b', port: 2 }], name: '', options: { password: 'p', tls: {} } })
})

t.test('any other address is refused with the rule that it breaks', async (t) => {
  const rules: Array<[rule: RegExp, ...urls: string[]]> = [
    [/^must be redis:\/\/host:6379, redis\+sentinel:.*redis\+cluster:.*redis\+unix:/, 'localhost', 'http://h', 'redis://', 'redis://h:x', 'redis://h:99999', 'redis://h:0', 'redis://a,b',
      'redis://h?x=1', 'redis://h?db=1', 'redis://a b', 'redis+other://h', 'redis+sentinel:///name', 'redis+cluster://a?db=0', 'redis://[::g]', 'redis://[h]', 'redis://::1'],
    [/^must name the database by a number from 0 to 2147483647/, 'redis://h/name', 'redis://h/-1', 'redis://h/0/1', 'redis://h/2147483648', 'redis://h/99999999999999999999', 'redis://h/1e3'],
    [/^must not name a database: a cluster/, 'redis+cluster://a/0', 'rediss+cluster://a,b/1'],
    [/^must end with the name of the master/, 'redis+sentinel://a', 'rediss+sentinel://a/', 'redis+sentinel://a/name/1'],
    [/^must not be rediss\+unix/, 'rediss+unix:///run/redis.sock'],
    [/^must be redis\+unix:\/\/\/path/, 'redis+unix://', 'redis+unix://run/redis.sock', 'redis+unix:///s?db=x', 'redis+unix:///s?db=-1', 'redis+unix:///s?db=2147483648', 'redis+unix:///s?x=1'],
    [/^must have a percent-encoded user and password/, 'redis://:%zz@h', 'redis://%e0%a4@h']
  ]
  for (const [rule, ...urls] of rules) for (const url of urls) t.match(parseAddress(url), rule, url)
  t.throws(() => connect('http://h'), /must be redis:/)
})
