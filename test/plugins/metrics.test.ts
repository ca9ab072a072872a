// Metrics: each one changes with its subject, and none of them names a room.
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const figures = async (app: FastifyInstance): Promise<Map<string, number>> => {
  const text = (await app.inject('/metrics')).body
  return new Map([...text.matchAll(/^(wsp_[^ ]+) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]))
}

/** Changes of the metrics during some work, without the unchanged ones. */
async function change (app: FastifyInstance, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await figures(app)
  await work()
  const after = await figures(app)
  return Object.fromEntries([...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const).filter(([name, value]) => value !== 0 && !/_(sum|bucket)/.test(name)))
}

async function pair (t: Test, app: FastifyInstance): Promise<[Peer, Peer]> {
  const [shop, phone] = [await Peer.inject(t, app), await Peer.inject(t, app)]
  await shop.join('r')
  return [shop, phone]
}

t.test('a payment is counted: events by type and source, acknowledgements, duplicates, the time to relay', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key' } })
  app.inject = inject(app)
  const [shop, phone] = await pair(t, app)
  const moved = await change(app, async () => {
    for (let i = 0; i < 2; i++) phone.send('CLICKED_PAY', { roomId: 'r' }, 'same')
    phone.send('PAYMENT_SUCCESS', { roomId: 'r' })
    await phone.settled()
    await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'PAYMENT_ERROR' } })
    await app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload: { eventType: 'ANYTHING', message: 'm', idSeguro: 'i' } })
    await shop.next('ANYTHING')
  })
  t.match(moved, {
    'wsp_events_total{type="CLICKED_PAY",source="device"}': 1,
    'wsp_events_total{type="PAYMENT_SUCCESS",source="device"}': 1,
    'wsp_events_total{type="PAYMENT_ERROR",source="api"}': 1,
    'wsp_events_total{type="BROADCAST",source="api"}': 1,
    wsp_duplicates_total: 1,
    wsp_acknowledgements_total: 2,
    wsp_relay_seconds_count: 3
  })
})

/** Requests with the API key, which the metrics need as well. */
function inject (app: FastifyInstance): FastifyInstance['inject'] {
  const plain = app.inject.bind(app)
  return ((options: string | object) => plain({ ...(typeof options === 'string' ? { url: options } : options), headers: { authorization: 'Bearer key' } })) as FastifyInstance['inject']
}

t.test('connections of this node are counted by transport, and its rooms are counted', async (t) => {
  const { app, url, port } = await listen(t)
  const peer = await Peer.connect(t, url)
  await peer.join('r')
  const stream = new AbortController()
  const moved = await change(app, async () => {
    await fetch(`http://127.0.0.1:${port}/api/rooms/r2/events`, { headers: { accept: 'text/event-stream' }, signal: stream.signal })
    await until('the stream is there', () => app.sessions.size === 2)
  })
  t.match(moved, { 'wsp_connections{transport="stream"}': 1, wsp_rooms: 1 })
  t.match(Object.fromEntries(await figures(app)), { 'wsp_connections{transport="socket"}': 1, 'wsp_connections{transport="stream"}': 1, wsp_rooms: 2, wsp_broker_up: 1 })
  stream.abort()
  await until('the stream has ended', () => app.sessions.size === 1)
  t.match(Object.fromEntries(await figures(app)), { 'wsp_connections{transport="stream"}': 0 })
})

t.test('recoveries are counted by outcome: recovered or lost', async (t) => {
  const { app } = await build(t)
  const [, phone] = await pair(t, app)
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  const peer = await Peer.inject(t, app)
  const moved = await change(app, async () => {
    for (const recover of [{ seq: 0 }, { epoch: 'another', seq: 1 }]) {
      peer.send('JOIN_ROOM', { roomId: 'r', recover })
      await peer.next('ROOM_JOINED')
    }
  })
  t.match(moved, { 'wsp_recoveries_total{outcome="recovered"}': 1, 'wsp_recoveries_total{outcome="lost"}': 1 })
})

t.test('errors are counted by code, over a socket and over REST', async (t) => {
  const { app } = await build(t)
  const peer = await Peer.inject(t, app)
  const moved = await change(app, async () => {
    peer.socket.send('{')
    await peer.next('ERROR')
    await app.inject('/api/rooms/none')
    await app.inject('/nowhere')
  })
  t.match(moved, { 'wsp_errors_total{code="INVALID_JSON",over="socket"}': 1, 'wsp_errors_total{code="ROOM_NOT_FOUND",over="rest"}': 1, 'wsp_errors_total{code="NOT_FOUND",over="rest"}': 1 })
})

t.test('closes are counted by close code; unknown codes of clients count as other', async (t) => {
  const { app, url } = await listen(t)
  const moved = await change(app, async () => {
    for (const code of [1000, 4321, 4322]) (await Peer.connect(t, url)).socket.close(code)
    ;(await Peer.connect(t, url)).socket.send(Buffer.from([1]))
    await until('all sessions have ended', () => app.sessions.size === 0)
  })
  t.match(moved, { 'wsp_closes_total{code="1000"}': 1, 'wsp_closes_total{code="other"}': 2, 'wsp_closes_total{code="1003"}': 1 })
})

t.test('a client that does not read is counted as a slow consumer, over a socket and over a stream', async (t) => {
  const { app, url, port } = await listen(t, { env: { OUTBOX_MAX_BYTES: '1024' } })
  const slow = await Peer.connect(t, url)
  await slow.join('r')
  slow.socket.pause()
  const stream = await fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream' } })
  await until('both readers are connected', () => app.sessions.size === 2)
  const phone = await Peer.connect(t, url)
  const long = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`x${i}`, 'x'.repeat(2000)]))
  const moved = await change(app, async () => {
    for (let i = 0; i < 4000 && app.sessions.size > 1; i++) {
      phone.send('CLICKED_PAY', { roomId: 'r', ...long })
      if (i % 50 === 0) await phone.settled()
    }
    await until('both readers were closed', () => app.sessions.size === 1)
  })
  await stream.body?.cancel().catch(() => {})
  t.match(moved, { 'wsp_slow_consumers_total{transport="socket"}': 1, 'wsp_slow_consumers_total{transport="stream"}': 1, 'wsp_closes_total{code="4001"}': 1 })
})

t.test('with Redis each operation of the broker is timed under its name', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const { app } = await build(t, { env: { REDIS_URL: redis.url } })
  await until('the broker is ready', () => app.broker.ready())
  const moved = await change(app, async () => {
    const [, phone] = await pair(t, app)
    phone.send('CLICKED_PAY', { roomId: 'r' })
    await phone.settled()
    await app.inject('/api/rooms')
  })
  t.match(moved, Object.fromEntries(['subscribe', 'read', 'publish', 'listRooms'].map((operation) => [`wsp_broker_seconds_count{operation="${operation}"}`, 1])))
})

t.test('/metrics is in the text format of Prometheus, includes the process, and names neither rooms nor clients', async (t) => {
  const { app } = await build(t)
  const [shop, phone] = await pair(t, app)
  phone.send('CLICKED_PAY', { roomId: 'r-with-a-name', deviceId: 'device-with-a-name' })
  await shop.settled()
  await phone.settled()
  const answer = await app.inject('/metrics')
  t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.match(answer.body, /^nodejs_eventloop_lag_p99_seconds /m)
  t.match(answer.body, /^process_resident_memory_bytes /m)
  t.notMatch(answer.body, /with-a-name|client_/)
})

t.test('with API_KEYS set, /metrics needs a key, and a key that only reads is enough', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key,read:prometheus' } })
  const status = async (authorization?: string) => (await app.inject({ url: '/metrics', headers: { ...(authorization && { authorization }) } })).statusCode
  t.strictSame([await status(), await status('Bearer wrong'), await status('Bearer key'), await status('Bearer prometheus')], [401, 401, 200, 200])
})

t.test('two apps in one process have separate metrics', async (t) => {
  const [one, two] = [await build(t), await build(t)]
  const peer = await Peer.inject(t, one.app)
  peer.send('CLICKED_PAY', { roomId: 'r' })
  await peer.settled()
  t.equal((await figures(one.app)).get('wsp_relay_seconds_count'), 1)
  t.equal((await figures(two.app)).get('wsp_relay_seconds_count'), 0)
})
