// PAYMENT_STALLED: sent to the shop's members that asked for it, once for each pause of the payer, on every node.
import t, { type Test } from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'

async function start (t: Test, env: Record<string, string> = {}) {
  let time = 1_000_000
  const { app } = await build(t, { now: () => time, env })
  const pass = async (seconds: number) => {
    // The first tick sees the last event, the next one the pause after it.
    await app.broker.tick()
    time += seconds * 1000
    await app.broker.tick()
  }
  const [shop, silent, payer] = [await Peer.inject(t, app), await Peer.inject(t, app), await Peer.inject(t, app)]
  shop.send('JOIN_ROOM', { roomId: 'r', stalls: true })
  silent.send('JOIN_ROOM', { roomId: 'r' })
  payer.send('JOIN_ROOM', { roomId: 'r', role: 'device2', stalls: true })
  for (const peer of [shop, silent, payer]) await peer.next('ROOM_JOINED')
  const told = async (peer: Peer) => {
    await peer.settled()
    return peer.frames.filter(({ type }) => type === 'PAYMENT_STALLED').map(({ payload }) => payload)
  }
  return { app, shop, silent, payer, pass, told }
}

t.test('device 1 that asked is informed of each pause, and nobody else is', async (t) => {
  const { app, shop, silent, payer, pass, told } = await start(t)
  await pass(200)
  t.strictSame(await told(shop), [], 'the payer has not begun')
  payer.send('DATA_FILLED', { roomId: 'r' })
  await payer.settled()
  await pass(119)
  t.strictSame(await told(shop), [], 'the time is not over')
  await pass(1)
  t.match(await told(shop), [{ roomId: 'r', seq: 1, step: 'DATA_FILLED', lastEventAt: 1_200_000, timestamp: 1_320_000 }])
  await pass(500)
  t.equal((await told(shop)).length, 1)
  payer.send('CLICKED_PAY', { roomId: 'r' })
  await payer.settled()
  await pass(120)
  t.match((await told(shop)).slice(1), [{ seq: 2, step: 'CLICKED_PAY' }])
  t.strictSame([await told(silent), await told(payer)], [[], []])
  t.equal((await app.inject('/api/rooms/r')).json().data.seq, 2, 'the message is not in the log')
})

t.test('a second join without `stalls` keeps the setting, and `stalls: false` ends it', async (t) => {
  const { shop, payer, pass, told } = await start(t)
  shop.send('JOIN_ROOM', { roomId: 'r' })
  await shop.next('ROOM_JOINED')
  payer.send('CLICKED_PAY', { roomId: 'r' })
  await payer.settled()
  await pass(120)
  t.equal((await told(shop)).length, 1)
  shop.send('JOIN_ROOM', { roomId: 'r', stalls: false })
  await shop.next('ROOM_JOINED')
  payer.send('ENTERED_SUMMARY', { roomId: 'r' })
  await payer.settled()
  await pass(120)
  t.equal((await told(shop)).length, 1)
})

t.test('with STALL_SECONDS=0 no payment stalls', async (t) => {
  const { shop, payer, pass, told } = await start(t, { STALL_SECONDS: '0' })
  payer.send('CLICKED_PAY', { roomId: 'r' })
  await payer.settled()
  await pass(100_000)
  t.strictSame(await told(shop), [])
})
