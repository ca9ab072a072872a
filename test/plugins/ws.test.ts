// Protocol of the seed, frame by frame, over injected sockets.
import type { Socket } from 'node:net'
import t from 'tap'
import { DEVICE_EVENT_TYPES } from '../../src/protocol/events.js'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

const FLOW = [
  ['ENTERED_SUMMARY', {}],
  ['CLICKED_PROCEED', {}],
  ['PAYMENT_METHOD_CHANGED', { method: 'pix' }],
  ['DATA_FILLED', { fields: ['name', 'cpf'] }],
  ['CLICKED_PAY', {}],
  ['PAYMENT_ERROR', { error: 'declined', code: '51' }],
  ['PAYMENT_SUCCESS', { transactionId: 'tx_456789', amount: 99.9 }]
] as const

t.test('every socket receives CONNECTION_ESTABLISHED with its client id and the eight events', async (t) => {
  const { app } = await build(t, { now: () => 1705312205000 })
  const peer = await Peer.inject(t, app)
  const [greeting] = peer.frames
  t.match(greeting, { type: 'CONNECTION_ESTABLISHED', payload: { clientId: /^client_1705312205000_[0-9a-f]{12}$/, message: String, timestamp: 1705312205000 } })
  t.strictSame(greeting!.payload.supportedEvents, [
    'JOIN_ROOM', 'ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY', 'PAYMENT_SUCCESS', 'PAYMENT_ERROR'
  ])
})

t.test('all events of the flow reach device 1 in order, and no other client', async (t) => {
  const { app } = await build(t, { now: () => 1000 })
  const shop = await Peer.inject(t, app)
  const stranger = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  const joined = await shop.join('payment_123', 'device_1')
  await stranger.join('payment_124', 'device_1')
  t.match(joined.payload, { roomId: 'payment_123', deviceId: 'device_1', clientId: shop.frames[0]!.payload.clientId, timestamp: 1000, epoch: /./, seq: 0, state: { step: null, status: 'pending' } })

  for (const [type, payload] of FLOW) phone.send(type, { roomId: 'payment_123', deviceId: 'device_2', ...payload })
  await shop.next('PAYMENT_SUCCESS')

  t.strictSame(shop.events, FLOW.map(([type, payload], i) => ({
    type, payload: { roomId: 'payment_123', deviceId: 'device_2', ...payload }, seq: i + 1, timestamp: 1000, source: 'device'
  })))
  await phone.settled()
  await stranger.settled()
  t.strictSame(phone.events, [], 'the sender does not receive its own events')
  t.strictSame(stranger.events, [], 'members of another room receive no events')
})

t.test('frames of existing clients are accepted', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)

  t.test('JOIN_ROOM without a deviceId uses the client id', async (t) => {
    const joined = await shop.join('r')
    t.equal(joined.payload.deviceId, joined.payload.clientId)
  })

  t.test('extra top-level keys are ignored, extra payload keys are relayed, and optional keys may be missing', async (t) => {
    phone.socket.send(JSON.stringify({ type: 'PAYMENT_SUCCESS', timestamp: 1, clientId: 'mine', payload: { roomId: 'r', message: 'olá', nested: { a: [1] } } }))
    phone.socket.send(JSON.stringify({ type: 'PAYMENT_METHOD_CHANGED', payload: { roomId: 'r' } }))
    phone.socket.send(JSON.stringify({ type: 'DATA_FILLED', payload: { roomId: 'r' } }))
    await shop.next('DATA_FILLED')
    const [success, method, filled] = shop.events
    t.strictSame(success!.payload, { roomId: 'r', message: 'olá', nested: { a: [1] } })
    t.notHas(success, { clientId: 'mine' })
    t.not(success!.timestamp, 1, 'the top-level timestamp is the server\'s')
    t.strictSame(method!.payload, { roomId: 'r' })
    t.strictSame(filled!.payload, { roomId: 'r' })
  })

  t.test('an event that is sent twice without an id is two events, and events may come in any order', async (t) => {
    phone.send('CLICKED_PAY', { roomId: 'r' })
    phone.send('CLICKED_PAY', { roomId: 'r' })
    phone.send('ENTERED_SUMMARY', { roomId: 'r' })
    await shop.next('ENTERED_SUMMARY')
    t.strictSame(shop.events.slice(-3).map(({ type, seq }) => [type, seq]), [['CLICKED_PAY', 4], ['CLICKED_PAY', 5], ['ENTERED_SUMMARY', 6]])
  })

  t.test('an event is relayed with the id of its sender', async (t) => {
    phone.send('CLICKED_PROCEED', { roomId: 'r' }, 'my "id"')
    t.equal((await shop.next('CLICKED_PROCEED')).id, 'my "id"')
  })
})

t.test('a socket in several rooms receives the events of each once, even after joining a room twice', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('a', 'till')
  await shop.join('b', 'till')
  await shop.join('a', 'till 2')
  t.equal(app.rooms.size, 2)
  phone.send('CLICKED_PAY', { roomId: 'a' })
  phone.send('CLICKED_PAY', { roomId: 'b' })
  await phone.settled()
  t.strictSame(shop.events.map(({ payload, seq }) => [payload.roomId, seq]), [['a', 1], ['b', 1]])
})

t.test('device 2 becomes a member by sending, and receives the events of other members', async (t) => {
  const { app } = await build(t)
  const phone = await Peer.inject(t, app)
  const tablet = await Peer.inject(t, app)
  phone.send('ENTERED_SUMMARY', { roomId: 'r' })
  await phone.settled()
  tablet.send('CLICKED_PAY', { roomId: 'r' })
  t.equal((await phone.next('CLICKED_PAY')).seq, 2)
})

t.test('a closed socket leaves all its rooms', async (t) => {
  const { app, logs } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('a')
  await shop.join('b')
  phone.send('CLICKED_PAY', { roomId: 'a' })
  await phone.settled()
  shop.socket.close(1000)
  await until('one session left', () => app.sessions.size === 1)
  t.equal(app.rooms.size, 1, 'only the room of the phone remains')
  t.match(logs.find(({ msg }) => msg === 'client disconnected'), { clientId: shop.frames[0]!.payload.clientId, code: 1000, rooms: 2 })
  const answer = await app.inject({ method: 'POST', url: '/api/message/room/b/broadcast', payload: { eventType: 'X', message: 'm', idSeguro: 'i' } })
  t.equal(answer.json().data.sentToClients, 0)
})

t.test('events that a phone sent before its socket closed are delivered', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('r')
  for (const [type, payload] of FLOW) phone.send(type, { roomId: 'r', ...payload })
  phone.socket.close()
  await shop.next('PAYMENT_SUCCESS')
  t.equal(shop.events.length, FLOW.length)
  await until('the phone left', () => app.sessions.size === 1)
  t.equal(app.rooms.size, 1)
})

t.test('a refused frame is answered with a code to its sender only, and the socket stays open', async (t) => {
  const { app } = await build(t, { now: () => 5 })
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('r')
  for (const [text, code, message] of [
    ['nonsense', 'INVALID_JSON', /JSON/],
    ['[]', 'INVALID_FRAME', /object/],
    ['{"type":"toString","payload":{"roomId":"r"}}', 'UNKNOWN_EVENT', /ENTERED_SUMMARY/],
    ['{"type":"ROOM_JOINED","payload":{"roomId":"r"}}', 'UNKNOWN_EVENT', /type/],
    ['{"type":"CLICKED_PAY","payload":{}}', 'INVALID_FRAME', /payload\.roomId/],
    ['{"type":"PAYMENT_SUCCESS","payload":{"roomId":"r","amount":-1}}', 'INVALID_FRAME', /payload\.amount.*not negative/]
  ] as const) {
    phone.socket.send(text)
    const error = await phone.next('ERROR')
    t.match(error.payload, { code, message, timestamp: 5, retryable: false })
  }
  phone.socket.send('{"type":"CLICKED_PAY","payload":{"roomId":"r","deviceId":5},"id":"frame 7"}')
  t.equal((await phone.next('ERROR')).payload.id, 'frame 7', 'the error names the id of the refused frame')
  phone.send('CLICKED_PAY', { roomId: 'r' })
  t.equal((await shop.next('CLICKED_PAY')).seq, 1)
  t.equal(shop.frames.some(({ type }) => type === 'ERROR'), false)
})

t.test('MAX_ROOM_MEMBERS and MAX_ROOMS_PER_SOCKET limit joins', async (t) => {
  const { app } = await build(t, { env: { MAX_ROOM_MEMBERS: '1', MAX_ROOMS_PER_SOCKET: '1' } })
  const shop = await Peer.inject(t, app)
  const other = await Peer.inject(t, app)
  await shop.join('r')
  other.send('JOIN_ROOM', { roomId: 'r' })
  t.match((await other.next('ERROR')).payload, { code: 'ROOM_FULL', retryable: true })
  other.send('CLICKED_PAY', { roomId: 'r' })
  t.match((await other.next('ERROR')).payload, { code: 'ROOM_FULL' })
  shop.send('JOIN_ROOM', { roomId: 'second' })
  t.match((await shop.next('ERROR')).payload, { code: 'TOO_MANY_ROOMS', retryable: false })
  t.strictSame(shop.events, [])
})

t.test('a binary frame closes the socket with 1003', async (t) => {
  const { app } = await build(t)
  const peer = await Peer.inject(t, app)
  await peer.join('r')
  peer.socket.send(Buffer.from('{}'))
  t.equal(await peer.closed, 1003)
  t.equal(app.rooms.size, 0)
})

t.test('the end of a connection does not overtake the replies to earlier frames of the same packet', async (t) => {
  const { app, url } = await listen(t)
  const ends: Record<string, [number, (peer: Peer, network: Socket) => void]> = {
    'a close': [1000, ({ socket }) => socket.close(1000)],
    'a frame that ws refuses': [1002, (_peer, network) => network.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))],
    'a binary message, which the session refuses': [1003, ({ socket }) => socket.send(Buffer.from('x'))],
    'a ping, and a close': [1000, ({ socket }) => {
      socket.ping()
      socket.close(1000)
    }]
  }
  for (const [ending, [code, end]] of Object.entries(ends)) {
    const peer = await Peer.connect(t, url)
    await peer.join('r')
    const { _socket: network } = peer.socket as unknown as { _socket: Socket }
    network.cork()
    for (const id of ['a', 'b']) peer.send('CLICKED_PAY', { roomId: 'r' }, `${ending} ${id}`)
    end(peer, network)
    network.uncork()
    t.equal(await peer.closed, code, ending)
    t.strictSame(peer.frames.filter(({ type }) => type === 'ACK').map(({ payload }) => payload.id), [`${ending} a`, `${ending} b`], ending)
  }
  t.equal(app.rooms.size, 0)
})

t.test('a bug in the handling of a frame is answered with INTERNAL and logged once, and the socket stays open', async (t) => {
  const { app, logs } = await build(t)
  const peer = await Peer.inject(t, app)
  const { publish } = app.broker
  // A broker that rejects later, and a broker that throws at once.
  for (const broken of [async () => { throw new Error('a bug') }, () => { throw new Error('a bug') }]) {
    app.broker.publish = broken
    peer.send('CLICKED_PAY', { roomId: 'r' }, 'i')
    t.match((await peer.next('ERROR')).payload, { code: 'INTERNAL', retryable: true, message: 'An internal error occurred.' })
    app.broker.publish = publish
    t.match(logs.splice(0).filter(({ msg }) => msg === 'message handling failed'), [{ level: 50, err: { message: 'a bug' } }])
    t.equal((await peer.join('r')).payload.seq, 0)
  }
})

t.test('the log shows the steps of a payment, without its values', async (t) => {
  const { app, logs } = await build(t)
  logs.length = 0
  const shop = await Peer.inject(t, app)
  const phone = await Peer.inject(t, app)
  await shop.join('payment_123', 'till')
  for (const [type, payload] of FLOW) phone.send(type, { roomId: 'payment_123', deviceId: 'phone', ...payload })
  phone.send('PAYMENT_SUCCESS', { roomId: 'payment_123' })
  phone.send('JOIN_ROOM', {})
  await phone.settled()
  t.strictSame(logs.filter(({ level }) => level === 30).map(({ msg }) => msg), [
    'client connected', 'client connected', 'room created', 'client joined the room',
    'payer entered the summary', 'payer clicked proceed', 'payer changed the payment method', 'payer filled in the data', 'payer clicked pay', 'payment failed', 'payment succeeded'
  ], 'one line for each step of the payment, and none for the repeated success')
  t.match(logs.find(({ msg }) => msg === 'payment succeeded'), { roomId: 'payment_123', deviceId: 'phone', seq: 7 })
  t.equal(logs.filter(({ msg }) => msg === 'event relayed').length, 8, 'every event is logged at debug')
  t.match(logs.find(({ msg }) => msg === 'message rejected'), { level: 20, code: 'INVALID_FRAME' })
  const text = JSON.stringify(logs)
  for (const value of ['tx_456789', '99.9', 'declined', 'pix', 'cpf']) t.notMatch(text, value)
})

t.test('every event that CONNECTION_ESTABLISHED names is accepted', async (t) => {
  const { app } = await build(t)
  const peer = await Peer.inject(t, app)
  for (const type of DEVICE_EVENT_TYPES) peer.send(type, { roomId: 'r' })
  await peer.settled()
  await peer.next('ROOM_JOINED')
  t.equal((await peer.join('r')).payload.seq, DEVICE_EVENT_TYPES.length - 1)
})
