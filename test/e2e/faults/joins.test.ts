// Joins into a room whose log was lost, before its node notices: the new member gets a single log from its beginning, or is asked to come again.
import t from 'tap'
import { Peer } from '../../peer.js'
import { withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { RECOVERY, startNodes } from './cluster.js'

t.test('Joins into a log that was lost', { skip: withoutRedis }, async (t) => {
  const { nodes: [a, b], redis } = await startNodes(t)

  t.test('A second device joins after FLUSHALL, while the first still waits in silence', async (t) => {
    const first = await Peer.connect(t, a.url)
    const { epoch } = (await first.join('quiet')).payload
    await redis.client.flushall()
    const second = await Peer.connect(t, a.url)
    second.send('JOIN_ROOM', { roomId: 'quiet' })
    let code = 0
    void second.closed.then((closedWith) => { code = closedWith })
    await until('an answer', () => code !== 0 || second.frames.length > 1, RECOVERY)
    const [, answer] = second.frames
    t.comment(`closed ${code}, answered ${answer?.type} ${answer?.payload.code ?? ''}`)
    t.ok(code === 4002 || (answer?.type === 'ROOM_JOINED' && answer.payload.epoch !== epoch) || answer?.payload.retryable === true, 'the device joined, or was asked to come again')
    t.equal(await first.closed, 4002, 'the first device is closed, too')
  })

  t.test('Old events that arrive late are not mixed into the new log', async (t) => {
    const phone = await Peer.connect(t, b.url)
    const shop = await Peer.connect(t, a.url)
    const { epoch } = (await shop.join('late')).payload
    const publish = async (id: string) => {
      phone.send('CLICKED_PAY', { roomId: 'late' }, id)
      await phone.next('ACK')
    }
    for (const id of ['1', '2', '3']) await publish(id)
    await until('three events', () => shop.events.length === 3, RECOVERY)
    a.proxy.hold('subscriber')
    await publish('4')
    await redis.client.flushall()
    await publish('new 1')
    const newcomer = await Peer.connect(t, a.url)
    newcomer.send('JOIN_ROOM', { roomId: 'late', recover: { epoch, seq: 3 } })
    t.equal(await shop.closed, 4002, 'the log of the shop is lost')
    t.equal(await newcomer.closed, 4002, 'the log that the new member resumed from is lost, too')
    a.proxy.release()
    const again = await Peer.connect(t, a.url)
    again.send('JOIN_ROOM', { roomId: 'late', recover: { epoch, seq: 3 } })
    t.match((await again.next('ROOM_JOINED')).payload, { seq: 1, recovered: false, replayed: 1 })
    t.equal(await phone.closed, 4002, 'the sender lost its position with the log, too')
    const next = await Peer.connect(t, b.url)
    next.send('CLICKED_PAY', { roomId: 'late' }, 'new 2')
    await until('the next event', () => again.events.length >= 2, RECOVERY)
    t.strictSame(again.events.map(({ id, seq }) => [id, seq]), [['new 1', 1], ['new 2', 2]], 'no event of the lost log')
  })
})
