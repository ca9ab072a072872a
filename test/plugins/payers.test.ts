// PAYERS: a second payer is refused, however it comes, until the first is gone.
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { build, listen } from '../build.js'
import { readStream } from '../event-stream.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const ONE = { PAYERS: '1', PRESENCE_GRACE_SECONDS: '0' }
const TAKEN = { code: 'ROOM_TAKEN', retryable: true }

/** Joins as a payer. @returns the answer */
async function enter (t: Test, app: FastifyInstance, deviceId: string) {
  const peer = await Peer.inject(t, app)
  peer.send('JOIN_ROOM', { roomId: 'r', role: 'device2', deviceId })
  await until('the join is answered', () => peer.frames.some(({ type }) => type === 'ROOM_JOINED' || type === 'ERROR'))
  return { peer, answer: peer.frames.at(-1)! }
}
const post = (app: FastifyInstance, payload: object, headers = {}) => app.inject({ method: 'POST', url: '/api/rooms/r/events', payload, headers })
const membersOf = async (app: FastifyInstance) => (await app.inject('/api/rooms/r')).json().data.members.map(({ deviceId }: { deviceId: string }) => deviceId) as string[]

t.test('a second payer gets ROOM_TAKEN for its join, and takes over when the first has left', async (t) => {
  const { app } = await build(t, { env: ONE })
  const shop = await Peer.inject(t, app)
  await shop.join('r', 'shop')
  const { peer: first } = await enter(t, app, 'phone_1')
  const second = await enter(t, app, 'phone_2')
  t.match(second.answer, { type: 'ERROR', payload: TAKEN })
  t.strictSame(await membersOf(app), ['shop', 'phone_1'])
  first.send('LEAVE_ROOM', { roomId: 'r' })
  await first.next('ROOM_LEFT')
  second.peer.send('JOIN_ROOM', { roomId: 'r', role: 'device2', deviceId: 'phone_2' })
  await second.peer.next('ROOM_JOINED')
  t.match((await enter(t, app, 'phone_1')).answer.payload, TAKEN)
})

t.test('the payer that is disconnected keeps its place for the grace period, and comes back as the same device', async (t) => {
  const { app } = await build(t, { env: { ...ONE, PRESENCE_GRACE_SECONDS: '3600' } })
  const { peer } = await enter(t, app, 'phone_1')
  t.equal((await enter(t, app, 'phone_1')).answer.type, 'ROOM_JOINED', 'a second connection of the same device is no second payer')
  peer.socket.terminate()
  t.match((await enter(t, app, 'phone_2')).answer.payload, TAKEN)
  t.equal((await enter(t, app, 'phone_1')).answer.type, 'ROOM_JOINED')
})

t.test('a member may change its device, and stays where it was if it may not change its role', async (t) => {
  const { app } = await build(t, { env: ONE })
  const { peer } = await enter(t, app, 'phone_1')
  await peer.next('ROOM_JOINED')
  peer.send('JOIN_ROOM', { roomId: 'r', role: 'device2', deviceId: 'phone_1b' })
  t.match((await peer.next('ROOM_JOINED')).payload, { deviceId: 'phone_1b' })
  const watcher = await Peer.inject(t, app)
  await watcher.join('r', 'watcher')
  watcher.send('JOIN_ROOM', { roomId: 'r', role: 'device2' })
  t.match((await watcher.next('ERROR')).payload, TAKEN)
  peer.send('CLICKED_PAY', { roomId: 'r' })
  await watcher.next('CLICKED_PAY')
})

t.test('a second payer gets ROOM_TAKEN for its first event, its stream, and its events over REST; a backend does not', async (t) => {
  const { app, port } = await listen(t, { env: { ...ONE, API_KEYS: 'key', TOKEN_SECRET: '' } })
  const { peer } = await enter(t, app, 'phone_1')
  const second = await Peer.inject(t, app)
  second.send('CLICKED_PAY', { roomId: 'r', deviceId: 'phone_2' }, 'a')
  t.match(await second.next('ERROR'), { payload: { ...TAKEN, id: 'a' } })
  const watcher = await Peer.inject(t, app)
  await watcher.join('r', 'watcher')
  watcher.send('CLICKED_PAY', { roomId: 'r' }, 'b')
  t.match(await watcher.next('ERROR'), { payload: { ...TAKEN, id: 'b' } })
  const authorization = 'Bearer key'
  const { answer } = await readStream(t, port, '/api/rooms/r/events?role=device2&deviceId=phone_2', { authorization })
  t.equal(answer.statusCode, 409)
  t.equal((await post(app, { type: 'PAYMENT_SUCCESS' }, { authorization })).statusCode, 201)
  peer.send('CLICKED_PAY', { roomId: 'r', deviceId: 'phone_1' }, 'c')
  await peer.next('ACK')
})

t.test('over REST only the payer in the room publishes as a device, one event or many', async (t) => {
  const { app } = await build(t, { env: ONE })
  const batch = async (...events: object[]) => (await app.inject({ method: 'POST', url: '/api/rooms/r/events/batch', payload: { events } })).json()
  t.equal((await post(app, { type: 'ENTERED_SUMMARY', payload: { deviceId: 'phone_2' } })).statusCode, 201, 'a room without a payer takes any')
  await enter(t, app, 'phone_1')
  t.match((await post(app, { type: 'CLICKED_PAY', payload: { deviceId: 'phone_2' } })).json(), { code: 'ROOM_TAKEN' })
  t.match((await post(app, { type: 'CLICKED_PAY' })).json(), { code: 'ROOM_TAKEN' })
  t.equal((await post(app, { type: 'CLICKED_PAY', payload: { deviceId: 'phone_1' } })).statusCode, 201)
  t.match(await batch({ type: 'CLICKED_PAY', payload: { deviceId: 'phone_2' }, id: 'a' }, { type: 'PAYMENT_SUCCESS', payload: { deviceId: 'phone_1', amount: 0.001, currency: 'BRL' } }), { code: 'ROOM_TAKEN' })
  t.match(await batch({ type: 'CLICKED_PAY', payload: { deviceId: 'phone_1' }, id: 'c' }), { data: { results: [{ seq: 3 }] } })
})

t.test('a first event is admitted to an empty room, and two payers where the limit is two', async (t) => {
  const { app } = await build(t, { env: { ...ONE, PAYERS: '2' } })
  const peer = await Peer.inject(t, app)
  peer.send('CLICKED_PAY', { roomId: 'r', deviceId: 'phone_1' }, 'a')
  await peer.next('ACK')
  t.equal((await enter(t, app, 'phone_2')).answer.type, 'ROOM_JOINED')
  t.match((await enter(t, app, 'phone_3')).answer.payload, TAKEN)
})

t.test('without PAYERS any number of payers may join', async (t) => {
  const { app } = await build(t)
  for (const name of ['phone_1', 'phone_2', 'phone_3']) t.equal((await enter(t, app, name)).answer.type, 'ROOM_JOINED')
})

t.test('over Redis the payer may be on another node', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const env = { ...ONE, REDIS_URL: redis.url }
  const nodes = [(await build(t, { env })).app, (await build(t, { env })).app] as const
  await until('both nodes are ready', () => nodes.every((app) => app.broker.ready()))
  const [a, b] = nodes
  const { peer: first } = await enter(t, a, 'phone_1')
  await until('the payer is known', async () => (await membersOf(b)).includes('phone_1'))
  t.match((await enter(t, b, 'phone_2')).answer.payload, TAKEN)
  const sender = await Peer.inject(t, b)
  sender.send('CLICKED_PAY', { roomId: 'r', deviceId: 'phone_2' }, 'a')
  t.match((await sender.next('ERROR')).payload, TAKEN)
  t.match((await post(b, { type: 'CLICKED_PAY', payload: { deviceId: 'phone_2' } })).json(), { code: 'ROOM_TAKEN' })
  t.equal((await enter(t, b, 'phone_1')).answer.type, 'ROOM_JOINED', 'the same device on another node')
  first.socket.terminate()
  await redis.kill()
  await until('the nodes have noticed', () => nodes.every((app) => !app.broker.ready()))
  sender.send('CLICKED_PAY', { roomId: 'new', deviceId: 'phone_2' }, 'b')
  await until('the event is refused', () => sender.frames.some(({ payload }) => payload.id === 'b' && payload.code === 'UNAVAILABLE'))
})
