// A thousand clients that join a room while events come in.
import t from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'

t.test('each of a thousand clients that join during a burst receives every event once and in order', async (t) => {
  // All clients live in this process, which has no time for pongs on a slow machine.
  const { app } = await build(t, { env: { ROOM_LOG_SIZE: '5000', MAX_ROOM_MEMBERS: '2000', HEARTBEAT_TIMEOUT_SECONDS: '3600' } })
  const phone = await Peer.inject(t, app)
  phone.send('ENTERED_SUMMARY', { roomId: 'r' })
  await phone.settled()
  const total = 420
  // The broker answers after different delays, so that events arrive at every stage of a join.
  const read = app.broker.read.bind(app.broker)
  let reads = 0
  app.broker.read = async (...args) => {
    for (let turns = reads++ % 5; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    return read(...args)
  }
  const joins: Array<Promise<Peer>> = []
  for (let i = 1; i < total; i++) {
    phone.send('CLICKED_PAY', { roomId: 'r', i })
    for (let j = 0; j < (i % 2 === 0 ? 3 : 2) && joins.length < 1000; j++) {
      joins.push(Peer.inject(t, app).then((peer) => {
        peer.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
        return peer
      }))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  const peers = await Promise.all(joins)
  await phone.settled()
  const expected = Array.from({ length: total }, (_, i) => i + 1)
  let live = 0
  for (const peer of peers) {
    const joined = await peer.next('ROOM_JOINED')
    await peer.settled()
    if (joined.payload.replayed < total) live++
    const seqs = peer.events.map(({ seq }) => seq)
    if (joined.payload.recovered !== true || JSON.stringify(seqs) !== JSON.stringify(expected)) t.strictSame(seqs, expected)
  }
  t.equal(peers.length, 1000)
  t.ok(live > 100, `${live} clients joined while events came in`)
})
