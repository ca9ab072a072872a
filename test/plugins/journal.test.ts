// Rooms of an app with DATA_DIR: sockets, streams and REST find everything again after a restart.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'

function freshFolder (t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'data-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

for (const DATA_SYNC of ['none', 'second', 'always']) {
  t.test(`DATA_SYNC=${DATA_SYNC}: a restart loses nothing`, async (t) => {
    const env = { DATA_DIR: freshFolder(t), DATA_SYNC }
    const start = async () => {
      const { app, logs } = await build(t, { env })
      const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
      return { app, url, logs }
    }
    const first = await start()
    const [shop, phone] = [await Peer.connect(t, first.url), await Peer.connect(t, first.url)]
    await shop.join('r', 'shop')
    const { payload: { epoch } } = await phone.join('r', 'phone')
    phone.send('CLICKED_PAY', { roomId: 'r' }, 'a')
    t.match(await phone.next('ACK'), { payload: { epoch, seq: 1, duplicate: false } })
    t.match(await shop.next('CLICKED_PAY'), { seq: 1 })
    const request = { method: 'POST', url: '/api/rooms/r/events', headers: { 'idempotency-key': 'k' }, payload: { type: 'PAYMENT_SUCCESS', payload: { transactionId: 't' } } } as const
    t.match((await first.app.inject(request)).json(), { data: { seq: 2 } })
    t.match(await shop.next('PAYMENT_SUCCESS'), { seq: 2 })
    phone.send('ENTERED_SUMMARY', { roomId: 'r' })
    await shop.next('ENTERED_SUMMARY')
    await first.app.close()
    t.equal(await shop.closed, 1012)

    const second = await start()
    t.match(second.logs.find(({ msg }) => msg === 'rooms restored'), { rooms: 1, events: 3, sync: DATA_SYNC })
    const back = await Peer.connect(t, second.url)
    back.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', recover: { epoch, seq: 1 } })
    t.match(await back.next('ROOM_JOINED'), { payload: { epoch, seq: 3, recovered: true, state: { status: 'succeeded' } } })
    t.match(await back.next('ENTERED_SUMMARY'), { seq: 3 })
    back.send('CLICKED_PAY', { roomId: 'r' }, 'a')
    t.match(await back.next('ACK'), { payload: { seq: 1, duplicate: true } })
    t.match((await second.app.inject(request)).json(), { data: { seq: 2 } })

    const streamed = await fetch(`${second.url.replace('ws', 'http')}/api/rooms/r/events`, { headers: { accept: 'text/event-stream', 'last-event-id': `${epoch}:2` } })
    const reader = streamed.body!.getReader()
    back.send('CLICKED_PROCEED', { roomId: 'r' }, 'b')
    let text = ''
    while (!text.includes('"seq":4')) text += Buffer.from((await reader.read()).value!).toString()
    t.match(text, /"recovered":true[^]*"seq":3[^]*"seq":4/)
    await reader.cancel()
    t.match((await second.app.inject('/api/rooms')).json(), { data: { rooms: [{ roomId: 'r', seq: 4 }] } })
    t.match(await back.next('ACK'), { payload: { seq: 4, duplicate: false } })
  })
}

t.test('without DATA_DIR the start says so in one line', async (t) => {
  const sentence = 'rooms are in memory alone, and end with the process: DATA_DIR is not set'
  const { app, logs } = await build(t, {})
  t.equal(logs.filter(({ msg }) => msg === sentence).length, 1)
  await app.close()
  const kept = await build(t, { env: { DATA_DIR: freshFolder(t) } })
  t.equal(kept.logs.filter(({ msg }) => msg === sentence).length, 0)
})

t.test('a journal that takes no change makes the server not ready, with the reason in /ready', async (t) => {
  const { app } = await build(t, { env: { DATA_DIR: freshFolder(t) } })
  t.equal((await app.inject('/ready')).statusCode, 200)
  await app.dataFolder!.journal.close()
  const { statusCode, ...answer } = await app.inject('/ready')
  t.equal(statusCode, 503)
  t.match(answer.json(), { checks: { broker: 'down' }, reason: 'its disk is full' })
})
