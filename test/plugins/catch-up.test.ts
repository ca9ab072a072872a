// Joining a room: the missed events, then the live events, each once and in order, and never a silent gap.
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { RoomView } from '../../src/broker/broker.js'
import { MAX_PENDING } from '../../src/rooms/delivery.js'
import { build, listen } from '../build.js'
import { Peer, type Frame } from '../peer.js'
import { until } from '../until.js'

/** Makes every read of a room wait for an answer of the test. */
function holdReads (app: FastifyInstance): { isReading: () => boolean, answer: () => void } {
  const read = app.broker.read.bind(app.broker)
  let answer: ((_: unknown) => void) | undefined
  app.broker.read = async (...args) => {
    await new Promise((resolve) => { answer = resolve })
    answer = undefined
    return read(...args)
  }
  return { isReading: () => answer !== undefined, answer: () => answer?.(undefined) }
}

/** Publishes a number of events of 14 kB. */
async function publishLarge (phone: Peer, total: number): Promise<void> {
  const padding = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`p${i}`, 'x'.repeat(2000)]))
  for (let i = 0; i < total; i += 50) {
    for (let j = 0; j < 50; j++) phone.send('CLICKED_PAY', { roomId: 'r', ...padding })
    await phone.settled()
  }
}

t.test('a join with recover replays the missed events, then delivers live events', async (t) => {
  const { app } = await build(t, { env: { ROOM_LOG_SIZE: '10' } })
  const phone = await Peer.inject(t, app)
  const watcher = await Peer.inject(t, app)
  const { payload: { epoch } } = await watcher.join('r')
  for (let i = 0; i < 5; i++) phone.send('CLICKED_PAY', { roomId: 'r', i })
  await phone.settled()

  const rejoin = async (recover: object): Promise<[Frame, Frame[]]> => {
    const peer = await Peer.inject(t, app)
    peer.send('JOIN_ROOM', { roomId: 'r', recover })
    const joined = await peer.next('ROOM_JOINED')
    await peer.settled()
    t.equal(peer.frames.indexOf(joined), 1, 'ROOM_JOINED comes before the replayed events')
    return [joined, peer.events]
  }

  t.test('recover from a known position replays the later events', async (t) => {
    const [joined, events] = await rejoin({ epoch, seq: 2 })
    t.match(joined.payload, { epoch, seq: 5, recovered: true, replayed: 3 })
    t.strictSame(events, watcher.events.slice(2), 'the replayed frames equal those of the other member')
  })

  t.test('recover from seq 0 replays the whole log', async (t) => {
    const [joined, events] = await rejoin({ seq: 0 })
    t.match(joined.payload, { recovered: true, replayed: 5 })
    t.strictSame(events.map(({ seq }) => seq), [1, 2, 3, 4, 5])
  })

  t.test('recover from the last position replays nothing', async (t) => {
    const [joined, events] = await rejoin({ epoch, seq: 5 })
    t.match(joined.payload, { recovered: true, replayed: 0 })
    t.strictSame(events, [])
  })

  t.test('without proof of continuity recovered is false, and the whole retained log follows', async (t) => {
    for (const recover of [{ epoch: 'another', seq: 2 }, { epoch, seq: 6 }, { seq: 2 }]) {
      const [joined, events] = await rejoin(recover)
      t.match(joined.payload, { recovered: false, replayed: 5 }, JSON.stringify(recover))
      t.equal(events.length, 5)
    }
    for (let i = 5; i < 12; i++) phone.send('CLICKED_PAY', { roomId: 'r', i })
    await phone.settled()
    const [trimmed, events] = await rejoin({ epoch, seq: 1 })
    t.match(trimmed.payload, { recovered: false, replayed: 10, seq: 12 })
    t.strictSame(events.map(({ seq }) => seq), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    t.match((await rejoin({ epoch, seq: 2 }))[0].payload, { recovered: true, replayed: 10 }, 'the entry after seq 2 is not trimmed yet')
  })

  t.test('a join without recover replays nothing, and its reply holds neither recovered nor replayed', async (t) => {
    const peer = await Peer.inject(t, app)
    const joined = await peer.join('r')
    t.equal(joined.payload.seq, 12)
    t.notOk('recovered' in joined.payload || 'replayed' in joined.payload || 'members' in joined.payload)
    await peer.settled()
    t.strictSame(peer.events, [])
  })

  t.test('a malformed position is refused', async (t) => {
    const peer = await Peer.inject(t, app)
    for (const recover of [{ epoch }, { seq: -1 }, { seq: 1.5 }, { seq: '1' }, 5]) {
      peer.send('JOIN_ROOM', { roomId: 'r', recover })
      t.match((await peer.next('ERROR')).payload, { code: 'INVALID_FRAME', message: /payload\.recover/ })
    }
  })
})

t.test('an empty room lives until its retention ends', async (t) => {
  let time = 1_000_000
  const { app } = await build(t, { env: { ROOM_RETENTION_SECONDS: '60' }, now: () => time })
  const shop = await Peer.inject(t, app)
  const { payload: { epoch } } = await shop.join('r')
  shop.socket.close()
  await until('all sessions have ended', () => app.sessions.size === 0)
  time += 59_000
  const answer = await app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload: { eventType: 'PAID', message: 'm', idSeguro: 'i' } })
  t.equal(answer.json().data.sentToClients, 0)
  time += 59_000
  const again = await Peer.inject(t, app)
  again.send('JOIN_ROOM', { roomId: 'r', recover: { epoch, seq: 0 } })
  t.match((await again.next('ROOM_JOINED')).payload, { recovered: true, replayed: 1 })
  t.equal((await again.next('PAID')).seq, 1)
  again.socket.close()
  await until('all sessions have ended', () => app.sessions.size === 0)
  time += 61_000
  const late = await Peer.inject(t, app)
  late.send('JOIN_ROOM', { roomId: 'r', recover: { epoch, seq: 1 } })
  t.match((await late.next('ROOM_JOINED')).payload, { recovered: false, replayed: 0, seq: 0 }, 'the reply declares the loss')
})

t.test('a joining client with more than MAX_PENDING pending events is closed with 4002', async (t) => {
  const { app } = await build(t)
  const phone = await Peer.inject(t, app)
  phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  const { isReading, answer } = holdReads(app)
  const shop = await Peer.inject(t, app)
  shop.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
  await until('the client joins', isReading)
  for (let i = 0; i <= MAX_PENDING; i++) phone.send('CLICKED_PAY', { roomId: 'r' })
  await phone.settled()
  answer()
  t.equal(await shop.closed, 4002)
  t.strictSame(shop.events, [], 'no part of the log was sent')
})

t.test('a socket that closes during its join leaves no member behind', async (t) => {
  const { app } = await build(t)
  const { isReading, answer } = holdReads(app)
  const shop = await Peer.inject(t, app)
  shop.send('JOIN_ROOM', { roomId: 'r' })
  await until('the client joins', isReading)
  shop.socket.close()
  await until('the session has ended', () => app.sessions.size === 0)
  answer()
  await until('the room is empty', () => app.rooms.size === 0)
})

t.test('a join that the broker refuses leaves no room behind', async (t) => {
  const { app } = await build(t)
  const { Failure } = await import('../../src/errors.js')
  const { read, subscribe } = app.broker
  app.broker.read = async () => new Failure('UNAVAILABLE')
  const peer = await Peer.inject(t, app)
  peer.send('JOIN_ROOM', { roomId: 'r' })
  t.match((await peer.next('ERROR')).payload, { code: 'UNAVAILABLE', retryable: true })
  app.broker.read = read
  app.broker.subscribe = async () => new Failure('UNAVAILABLE')
  peer.send('JOIN_ROOM', { roomId: 'r' })
  t.match((await peer.next('ERROR')).payload, { code: 'UNAVAILABLE' })
  peer.send('CLICKED_PAY', { roomId: 'r' }, 'x')
  t.match((await peer.next('ERROR')).payload, { code: 'UNAVAILABLE', id: 'x' })
  t.equal(app.rooms.size, 0)
  app.broker.subscribe = subscribe
  t.equal((await peer.join('r')).payload.seq, 0)
})

t.test('a read returns position, entries and state of a room together', async (t) => {
  const { app } = await build(t)
  const phone = await Peer.inject(t, app)
  phone.send('PAYMENT_SUCCESS', { roomId: 'r', amount: 1 })
  await phone.settled()
  const view = await app.broker.read('r', { seq: 0 }) as RoomView
  t.match(view, { seq: 1, entries: [{ seq: 1, epoch: view.epoch }], state: { status: 'succeeded' }, recovered: true })
})

t.test('a second join of a live member loses no event', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('r', 'till')
  phone.send('CLICKED_PAY', { roomId: 'r', n: 1 })
  await shop.next('CLICKED_PAY')
  const read = app.broker.read.bind(app.broker)
  let answer = (_: unknown): void => {}
  let reading = false
  app.broker.read = async (...args) => {
    reading = true
    await new Promise((resolve) => { answer = resolve })
    return read(...args)
  }
  shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'till' })
  await until('the member joins again', () => reading)
  phone.send('CLICKED_PAY', { roomId: 'r', n: 2 })
  await phone.settled()
  answer(undefined)
  await shop.settled()
  t.strictSame(shop.events.map(({ seq }) => seq), [1, 2])

  t.test('a second join that fails leaves the member as it was', async (t) => {
    const { Failure } = await import('../../src/errors.js')
    app.broker.read = async () => {
      await new Promise((resolve) => { answer = resolve })
      return new Failure('UNAVAILABLE')
    }
    const members = app.rooms.members('r')
    shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'renamed' })
    await until('the member joins again', () => { answer(undefined); return shop.frames.some(({ type }) => type === 'ERROR') || reading })
    phone.send('CLICKED_PAY', { roomId: 'r', n: 3 })
    await phone.settled()
    answer(undefined)
    await shop.settled()
    t.strictSame(shop.events.map(({ seq }) => seq), [1, 2, 3])
    t.strictSame(app.rooms.members('r'), members, 'the member keeps its device id')
  })
})

t.test('a client whose room is closed and created again during the join receives ROOM_CLOSED and is no member', async (t) => {
  const { app } = await build(t)
  const { isReading, answer } = holdReads(app)
  const shop = await Peer.inject(t, app)
  shop.send('JOIN_ROOM', { roomId: 'r' })
  await until('the client joins', isReading)
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  answer()
  await shop.settled()
  t.strictSame(shop.frames.map(({ type }) => type), ['CONNECTION_ESTABLISHED', 'ROOM_CLOSED', 'PONG'])
})

t.test('a log far larger than the outbox is replayed completely, at the pace of its reader', async (t) => {
  const { app, port, url } = await listen(t, { env: { OUTBOX_MAX_BYTES: '65536', ROOM_LOG_SIZE: '1000' } })
  const phone = await Peer.connect(t, url)
  const total = 800
  await publishLarge(phone, total)
  const shop = await Peer.connect(t, url)
  shop.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
  t.match((await shop.next('ROOM_JOINED')).payload, { recovered: true, replayed: total })
  // Live events that arrive during the replay wait for its end.
  phone.send('PAYMENT_SUCCESS', { roomId: 'r' })
  await shop.next('PAYMENT_SUCCESS')
  const expected = Array.from({ length: total + 1 }, (_, i) => i + 1)
  t.strictSame(shop.events.map(({ seq }) => seq), expected)

  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const answer = await fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream' }, signal: abort.signal })
  t.equal(answer.status, 200)
  const chunks: string[] = []
  let end = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    chunks.push(chunk)
    end = (end + chunk).slice(-1_000)
    if (end.includes('PAYMENT_SUCCESS') && end.endsWith('\n\n')) break
  }
  const text = chunks.join('')
  t.strictSame([...text.matchAll(/^id: [\w-]+:(\d+)$/gm)].map(([, seq]) => Number(seq)), expected)
  t.equal(app.rooms.size, 1)
})

t.test('a ping does not end the stream of a reader that is behind in its replay', async (t) => {
  const { app, url, port } = await listen(t, { env: { OUTBOX_MAX_BYTES: '65536', ROOM_LOG_SIZE: '1000', HEARTBEAT_SECONDS: '1' } })
  const phone = await Peer.connect(t, url)
  const total = 900
  await publishLarge(phone, total)
  let pings = 0
  const open = app.sessions.open.bind(app.sessions)
  app.sessions.open = (session) => {
    const ping = session.ping.bind(session)
    session.ping = (number) => { pings++; ping(number) }
    open(session)
  }
  const request = get(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream' } })
  t.teardown(() => request.destroy())
  const [answer] = await once(request, 'response') as [IncomingMessage]
  await until('pings came while nobody read', () => pings > 1)
  let text = ''
  answer.setEncoding('utf8').on('data', (chunk) => { text += chunk }).on('error', () => {})
  const seqs = () => [...text.matchAll(/^id: [\w-]+:(\d+)$/gm)].map(([, seq]) => Number(seq))
  await until(() => `all events arrive; ${seqs().length} did`, () => answer.destroyed || seqs().length === total)
  t.strictSame(seqs(), Array.from({ length: total }, (_, i) => i + 1))
})

t.test('a reader that disappears during a replay leaves neither session nor member behind', async (t) => {
  const { app, url, port } = await listen(t, { env: { OUTBOX_MAX_BYTES: '65536', ROOM_LOG_SIZE: '1000', HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' } })
  const phone = await Peer.connect(t, url)
  await publishLarge(phone, 900)
  const deaf = await Peer.connect(t, url)
  deaf.send('JOIN_ROOM', { roomId: 'r', recover: { seq: 0 } })
  await deaf.next('ROOM_JOINED')
  deaf.socket.pause()
  const abort = new AbortController()
  await fetch(`http://127.0.0.1:${port}/api/rooms/r/events`, { headers: { accept: 'text/event-stream' }, signal: abort.signal })
  abort.abort()
  await until('both readers are gone', () => app.sessions.size === 1)
  t.equal(app.rooms.members('r').length, 1)
})
