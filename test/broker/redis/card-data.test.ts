// Redis never gets a card number: neither in a command nor in a key, a log or a fingerprint.
import t from 'tap'
import { listen } from '../../build.js'
import { Peer } from '../../peer.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'

const CARD = '4111111111111111'
const SPACED = '4111 1111 1111 1111'
const MASKED = '411111******1111'

t.test('events with masked numbers are stored masked, once for each id, and refused ones not at all', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const commands: string[] = []
  const monitor = await redis.client.monitor()
  t.teardown(() => { monitor.disconnect() })
  monitor.on('monitor', (_time: string, args: string[]) => commands.push(args.join(' ')))

  const { app, url } = await listen(t, { env: { REDIS_URL: redis.url, LOG_LEVEL: 'trace' } })
  const [shop, payer] = [await Peer.connect(t, url), await Peer.connect(t, url)]
  await shop.join('room')
  for (let i = 0; i < 2; i++) {
    payer.send('PAYMENT_METHOD_CHANGED', { roomId: 'room', method: `card ${CARD}`, note: SPACED }, 'a')
    t.match((await payer.next('ACK')).payload, { seq: 1, duplicate: i === 1 })
  }
  t.match(await shop.next('PAYMENT_METHOD_CHANGED'), { payload: { method: `card ${MASKED}`, note: MASKED }, redacted: true })
  payer.send('CLICKED_PAY', { roomId: 'room', cardNumber: CARD }, 'b')
  t.match((await payer.next('ERROR')).payload, { code: 'SENSITIVE_DATA' })
  const body = { eventType: 'PAYMENT_UPDATE', message: SPACED, idSeguro: 's' }
  for (let i = 0; i < 2; i++) t.equal((await app.inject({ method: 'POST', url: '/api/message/room/room/broadcast', headers: { 'idempotency-key': 'c' }, body })).statusCode, 200)
  t.match(await shop.next('PAYMENT_UPDATE'), { payload: { message: MASKED }, redacted: true, seq: 2 })
  t.match((await app.inject('/api/rooms/room')).json().data, { seq: 2, state: { method: `card ${MASKED}` } })

  await until('the monitor has seen the broadcast', async () => commands.some((command) => command.includes(MASKED) && command.includes('PAYMENT_UPDATE')))
  const keys = await redis.client.keys('*')
  const dump = await Promise.all(keys.map(async (key) => String(await redis.client.dumpBuffer(key))))
  t.ok(keys.length > 0)
  t.notMatch([...keys, ...dump, ...commands].join('\n'), /4111.?1111/)
})
