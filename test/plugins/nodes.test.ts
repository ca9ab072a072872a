// Two nodes over one Redis, as clients see them: a room is the same on both.
import t, { type Test } from 'tap'
import { build, type BuildOptions } from '../build.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const NAMES = 'ABCDEFGHIJ'
let count = 0

t.test('two nodes over one Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const nodes = async (t: Test, options: BuildOptions = {}) => {
    const prefix = `test${++count}`
    const start = async () => {
      const { app, logs } = await build(t, { ...options, env: { REDIS_URL: redis.url, REDIS_PREFIX: prefix, ...options.env } })
      await until('the node is ready', () => app.broker.ready())
      return { app, logs }
    }
    return [await start(), await start()] as const
  }

  t.test('a payment works with its devices on two nodes and a backend on either node', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t)
    const shop = await Peer.inject(t, a)
    const phone = await Peer.inject(t, b)
    await shop.join('r', 'shop')
    const steps = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY', 'PAYMENT_SUCCESS']
    for (const type of steps) phone.send(type, { roomId: 'r', transactionId: 'tx' }, type)
    for (const type of steps) {
      await shop.next(type)
      t.match((await phone.next('ACK')).payload, { id: type, duplicate: false })
    }
    t.strictSame(shop.events.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6])
    t.strictSame(phone.events, [])
    const sent = await b.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload: { eventType: 'THANKS', message: 'm', idSeguro: 'i' } })
    t.equal(sent.json().data.sentToClients, 2, 'the broadcast reaches clients on both nodes')
    await shop.next('THANKS')
    await phone.next('THANKS')
    for (const app of [a, b]) {
      t.match((await app.inject('/api/rooms/r')).json().data, { seq: 7, state: { status: 'succeeded' }, members: { length: 2 } })
      t.match((await app.inject('/api/rooms')).json().data.rooms, [{ roomId: 'r', members: 2, status: 'succeeded' }])
    }
    const late = await Peer.inject(t, b)
    late.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
    t.match((await late.next('ROOM_JOINED')).payload, { recovered: true, replayed: 7, state: { status: 'succeeded' } })
    await late.next('THANKS')
    t.strictSame(late.events.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7])
  })

  t.test('a client that joins on one node during a burst on the other receives every event once', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t)
    const phone = await Peer.inject(t, a)
    const peers: Peer[] = []
    for (let n = 0; n < 300; n++) {
      phone.send('CLICKED_PAY', { roomId: 'r', n })
      if (n % 10 !== 5) continue
      const peer = await Peer.inject(t, b)
      peer.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
      peers.push(peer)
    }
    for (const peer of peers) {
      await until('all events arrived', () => peer.events.length >= 300 || peer.frames.some(({ payload }) => payload.recovered === false))
      const seqs = peer.events.map(({ seq }) => seq!)
      t.strictSame(seqs, seqs.map((_, i) => seqs[0]! + i))
      t.equal(seqs.at(-1), 300)
    }
  })

  t.test('a device that moves to another node causes no presence event', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t, { env: { PRESENCE_GRACE_SECONDS: '3' } })
    const join = async (app: typeof a, deviceId: string) => {
      const peer = await Peer.inject(t, app)
      peer.send('JOIN_ROOM', { roomId: 'r', deviceId, presence: true })
      const { payload: { members } } = await peer.next('ROOM_JOINED')
      return { peer, devices: members.map((member: { deviceId: string }) => member.deviceId).sort() }
    }
    const watch = await join(a, 'shop')
    const far = await join(b, 'office')
    t.strictSame(far.devices, ['office', 'shop'])
    t.match((await watch.peer.next('DEVICE_JOINED')).payload, { deviceId: 'office', role: 'device1' })

    const first = await join(b, 'phone')
    for (const { peer } of [watch, far]) t.match((await peer.next('DEVICE_JOINED')).payload, { deviceId: 'phone' })
    // The socket of the phone dies, and the load balancer connects the phone to the other node.
    first.peer.socket.terminate()
    const second = await join(a, 'phone')
    t.strictSame(second.devices, ['office', 'phone', 'shop'])
    // Reverse order: the phone has joined again before the first node notices the dead socket.
    const third = await join(b, 'phone')
    second.peer.socket.terminate()
    await until('the node noticed', () => a.rooms.members('r').length === 3 && a.sessions.size === 1)
    await new Promise((resolve) => setTimeout(resolve, 3500))
    for (const { peer } of [watch, far]) t.strictSame(peer.frames.filter(({ type }) => type === 'DEVICE_LEFT' || type === 'DEVICE_JOINED').slice(peer === watch.peer ? 2 : 1), [], 'no presence events')

    // The phone does not come back: both watchers receive DEVICE_LEFT after the grace period.
    third.peer.socket.terminate()
    await Promise.all([watch, far].map(async ({ peer }) => t.match((await peer.next('DEVICE_LEFT')).payload, { deviceId: 'phone' })))
    for (const app of [a, b]) t.strictSame((await app.inject('/api/rooms/r')).json().data.members.map((member: { deviceId: string }) => member.deviceId).sort(), ['office', 'shop'])

    // LEAVE_ROOM ends the presence of a device at once.
    far.peer.send('LEAVE_ROOM', { roomId: 'r' })
    t.match((await watch.peer.next('DEVICE_LEFT')).payload, { deviceId: 'office' })
  })

  t.test('a device with several connections to other nodes is one member, and joins and leaves once', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t, { env: { PRESENCE_GRACE_SECONDS: '1' } })
    const membersOf = async (peer: Peer) => {
      peer.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
      const { members } = (await peer.next('ROOM_JOINED')).payload as { members: Array<{ deviceId: string, connections?: number }> }
      return members.map(({ deviceId, connections = 1 }) => [deviceId, connections])
    }
    // The phone is there twice before the shop's node has the room, and a third time on the shop's node.
    const phones = [await Peer.inject(t, b), await Peer.inject(t, b), await Peer.inject(t, a)]
    const shop = await Peer.inject(t, a)
    for (const phone of phones.slice(0, 2)) await phone.join('r', 'phone')
    t.strictSame(await membersOf(shop), [['shop', 1], ['phone', 2]])
    await phones[2]!.join('r', 'phone')
    t.strictSame(await membersOf(shop), [['shop', 1], ['phone', 3]])
    t.strictSame((await b.inject('/api/rooms/r')).json().data.members.map(({ deviceId, connections = 1 }: { deviceId: string, connections?: number }) => [deviceId, connections]), [['phone', 3], ['shop', 1]])
    for (const phone of phones) phone.socket.terminate()
    await shop.next('DEVICE_LEFT')
    await until('the phone is gone everywhere', () => [a, b].every((app) => app.rooms.members('r').every(({ deviceId }) => deviceId !== 'phone')))
    t.strictSame(shop.frames.filter(({ type }) => /^DEVICE/.test(type)).map(({ type }) => type), ['DEVICE_LEFT'])
    // Two connections in one announcement.
    const twins = [await Peer.inject(t, b), await Peer.inject(t, b)]
    await Promise.all(twins.map((twin) => twin.join('r', 'twin')))
    await shop.next('DEVICE_JOINED')
    for (const twin of twins) twin.send('LEAVE_ROOM', { roomId: 'r' })
    await shop.next('DEVICE_LEFT')
    t.strictSame(shop.frames.filter(({ type }) => /^DEVICE/.test(type)).map(({ type }) => type), ['DEVICE_LEFT', 'DEVICE_JOINED', 'DEVICE_LEFT'])
  })

  t.test('the grace period of the only device of a node counts on the other node too', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t, { env: { PRESENCE_GRACE_SECONDS: '2' } })
    const shop = await Peer.inject(t, a)
    shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
    await shop.next('ROOM_JOINED')
    const phone = await Peer.inject(t, b)
    await phone.join('r', 'phone')
    await shop.next('DEVICE_JOINED')
    phone.socket.terminate()
    const again = await Peer.inject(t, b)
    await again.join('r', 'phone')
    again.socket.terminate()
    await until('the phone dropped', () => b.sessions.size === 0)
    t.match((await a.inject('/api/rooms/r')).json().data.members, { length: 2 }, 'a device in its grace period is a member')
    t.match((await shop.next('DEVICE_LEFT')).payload, { deviceId: 'phone' })
    t.equal(shop.frames.filter(({ type }) => /^DEVICE/.test(type)).length, 2)
  })

  t.test('a room that is closed on one node ends on the other', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t)
    const shop = await Peer.inject(t, a)
    await shop.join('r')
    t.equal((await b.inject({ method: 'DELETE', url: '/api/rooms/r' })).statusCode, 204)
    t.match((await shop.next('ROOM_CLOSED')).payload, { roomId: 'r', reason: 'closed' })
    shop.send('CLICKED_PAY', { roomId: 'r' })
    t.match((await shop.next('ERROR')).payload, { code: 'ROOM_CLOSED' })
  })

  t.test('the deadline of a link, and a change of it, reach every node', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t)
    await a.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r', ttlSeconds: 2 } })
    const peers = [await Peer.inject(t, a), await Peer.inject(t, b)]
    for (const peer of peers) await peer.join('r')
    for (const peer of peers) t.match(await peer.next('PAYMENT_EXPIRED'), { seq: 1, source: 'server' })
    await b.inject({ method: 'PATCH', url: '/api/rooms/r', payload: { ttlSeconds: 1 } })
    for (const peer of peers) t.match(await peer.next('LINK_UPDATED'), { seq: 2, source: 'server' })
    for (const peer of peers) t.match(await peer.next('PAYMENT_EXPIRED'), { seq: 3 })
  })

  t.test('a member receives the events of its own room only, even with names of rooms that resemble keys of Redis', async (t) => {
    const [{ app: a }, { app: b }] = await nodes(t)
    const names = [...NAMES].flatMap((name) => [name, `${name}:log`, `${name}:members`, `${name}:live`])
    const peers = await Promise.all(names.map(async (roomId) => {
      const peer = await Peer.inject(t, a)
      await peer.join(roomId)
      return { roomId, peer }
    }))
    const phone = await Peer.inject(t, b)
    for (const roomId of names) phone.send('CLICKED_PAY', { roomId }, roomId)
    for (const { roomId, peer } of peers) t.equal((await peer.next('CLICKED_PAY')).payload.roomId, roomId)
    await phone.settled()
    for (const { peer } of peers) t.equal(peer.events.length, 1)
  })

  t.test('a refusal of Redis is logged', async (t) => {
    const full = await startRedis(t, ['--maxmemory', '1mb'])
    const { app, logs } = await build(t, { env: { REDIS_URL: full.url } })
    await until('the refusal is logged', () => logs.some(({ level, msg }) => level === 50 && msg === 'Redis cannot be used: it refuses writes: out of memory (maxmemory)'))
    t.equal(app.broker.ready(), false)
  })

  t.test('without Redis the server is not ready, and refuses events and joins with a retryable error', async (t) => {
    const away = await startRedis(t)
    const { app, logs } = await build(t, { env: { REDIS_URL: away.url } })
    await until('the node is ready', () => app.broker.ready())
    t.equal((await app.inject('/ready')).statusCode, 200)
    const shop = await Peer.inject(t, app)
    await shop.join('r')
    await away.kill()
    shop.send('CLICKED_PAY', { roomId: 'r' }, 'x')
    t.match((await shop.next('ERROR')).payload, { code: 'UNAVAILABLE', id: 'x', retryable: true })
    shop.send('JOIN_ROOM', { roomId: 's' })
    t.match((await shop.next('ERROR')).payload, { code: 'UNAVAILABLE', retryable: true })
    await until('the node notices the loss of Redis', () => !app.broker.ready())
    t.match((await app.inject('/ready')).json(), { status: 'not ready', checks: { broker: 'down' } })
    for (const url of ['/api/rooms', '/api/rooms/r']) t.match((await app.inject(url)).json(), { code: 'UNAVAILABLE' })
    t.equal((await app.inject('/health')).statusCode, 200)
    await until('the reason is logged', () => logs.some(({ msg }) => /^Redis cannot/.test(msg)))
    t.match(logs.filter(({ msg }) => /^Redis/.test(msg)), [{ level: 30, msg: 'Redis connected' }, { level: 50, msg: /^Redis cannot be reached: / }])
    await away.start()
    await until('Redis is back', () => app.broker.ready())
    // Redis came back empty, so the member is closed with 4002.
    t.equal(await shop.closed, 4002)
    const again = await Peer.inject(t, app)
    await again.join('r')
    again.send('CLICKED_PAY', { roomId: 'r' }, 'x')
    t.match((await again.next('ACK')).payload, { seq: 1 })
  })
})
