// Contestants of the benchmark: each starts, lets two devices join, and relays an event from the second device to the first, over Redis between two processes.
import t from 'tap'
import { CONTESTANTS, whyMissing } from '../../bench/compare/contestants.js'
import { Device } from '../../bench/compare/device.js'
import { Running } from '../../bench/compare/process.js'
import { SUITES } from '../../bench/compare/suites.js'
import { show } from '../../bench/compare.js'
import { without } from '../installed.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const withoutTaskset = without('taskset', 'util-linux')
const NO_REDIS = { url: '', pid: 0 }
const BURN = 'local n = 0 for i = 1, 5e6 do n = n + i % 7 end return n'

for (const contestant of CONTESTANTS) {
  const { name, nodes, dialect } = contestant
  t.test(`${name} relays from device 2 to device 1`, { skip: whyMissing(contestant) ?? (withoutTaskset || (nodes > 0 && withoutRedis)) }, async (t) => {
    const running = await Running.start(contestant, nodes > 0 ? await startRedis(t) : NO_REDIS)
    t.teardown(() => running.stop())
    const [first, last] = running.ports
    t.equal(first === last, nodes < 2, 'two nodes have two ports')
    const receiver = await Device.join(first, dialect, 'payment', 'device1')
    const stranger = await Device.join(first, dialect, 'another', 'device1')
    const sender = await Device.join(last, dialect, 'payment', 'device2')
    t.teardown(() => { for (const device of [receiver, stranger, sender]) device.leave() })
    // A node may still be subscribing.
    await until('device 1 received the event', () => {
      if (receiver.received === 0) sender.send()
      return receiver.received > 0
    })
    t.equal(sender.received, 0, 'the sender does not get its own event')
    t.equal(stranger.received, 0, 'nor does another room')
  })
}

t.test('the CPU time of a contestant is that of both nodes and of Redis', { skip: withoutTaskset || withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const running = await Running.start(CONTESTANTS.find(({ name }) => name === 'ws + pub/sub, 2 nodes')!, redis)
  t.teardown(() => running.stop())
  const used = async () => (await redis.client.info('cpu')).match(/used_cpu_user:([\d.]+)/)![1]
  const [cpu, before] = [running.cpu, Number(await used())]
  await redis.client.eval(BURN, 0)
  const burnt = (Number(await used()) - before) * 1e6
  t.ok(burnt > 0, `Redis worked for ${Math.round(burnt)} µs`)
  t.ok(running.cpu - cpu > burnt / 2, `${Math.round(running.cpu - cpu)} µs`)
})

t.test('a contestant without its package is left out, and the reason names the package', async (t) => {
  const [first] = CONTESTANTS
  t.equal(whyMissing(first!), undefined)
  t.match(whyMissing({ ...first!, needs: { name: 'not-installed-anywhere', address: 'https://example.org' } }), /^raw ws is left out: the package not-installed-anywhere is not installed .*example\.org/)
})

t.test('the suites of the peers exist, at both rates', async (t) => {
  const names = SUITES.map(({ name }) => name)
  for (const { name, suites = [] } of CONTESTANTS) for (const suite of suites) t.ok(names.includes(suite), `${name}: ${suite}`)
  const peers = CONTESTANTS.filter(({ suites }) => suites)
  t.equal(peers.length, 3)
  for (const rate of ['2,000', '5,000']) for (const { suites } of peers) t.ok(suites!.includes(`latency at ${rate}/s`))
})

t.test('a table has the ratio to the first row, and says when the machine was busy', async (t) => {
  const figures = [{ figure: 12.345, ratio: 2, least: 1.5, most: 2.5 }]
  const table = { suite: SUITES[0]!, rows: [{ name: 'one', figures }, { name: 'two', figures }], foreign: 0.05 }
  t.match(show(table), /^## Relay\n/)
  t.match(show({ ...table, suite: { ...table.suite, units: ['µs'] } }), '|  | µs | × one | restarts |')
  t.match(show(table), '| two | 12.3 | 2.00 | 1.50–2.50 |')
  t.notMatch(show(table), 'busy')
  t.match(show({ ...table, foreign: 0.35 }), /busy with other things: they used 35 %/)
})
