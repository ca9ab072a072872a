// Periodic work of the server: statistics and the sweep.
import { mock } from 'node:test'
import t from 'tap'
import { TICK_INTERVAL } from '../../plugins/broker.js'
import { STATISTICS_INTERVAL } from '../../plugins/statistics.js'
import { build } from '../build.js'
import { Peer } from '../peer.js'

t.test('statistics are logged every ten minutes; expired rooms are swept, and their members receive ROOM_CLOSED', async (t) => {
  let time = 1_000_000
  mock.timers.enable({ apis: ['setInterval'] })
  const { app, logs } = await build(t, { now: () => time, env: { LATE_RESULTS_SECONDS: '0' } })
  mock.timers.tick(0)
  const shop = await Peer.inject(t, app)
  await shop.join('r')
  mock.timers.tick(STATISTICS_INTERVAL)
  t.match(logs.filter(({ msg }) => msg === 'server statistics'), [{ level: 30, connections: 1, rooms: 1, rss: Number, heapUsed: Number }])
  t.notOk(logs.some(({ msg }) => msg === 'expired rooms removed'), 'an occupied room stays')

  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'short', ttlSeconds: 1 } })
  await shop.join('short')
  time += 1000
  mock.timers.tick(TICK_INTERVAL)
  mock.timers.reset()
  await new Promise((resolve) => setImmediate(resolve))
  t.match(logs.filter(({ msg }) => msg === 'expired rooms removed'), [{ level: 30, removed: 1, kept: 1 }])
  t.match(logs.filter(({ msg }) => msg === 'room removed'), [{ roomId: 'short' }])
  t.match((await shop.next('ROOM_CLOSED')).payload, { roomId: 'short', reason: 'expired' })
})
