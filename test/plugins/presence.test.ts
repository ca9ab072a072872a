// Presence: the members of a room, their joins and leaves, and the grace period.
import t from 'tap'
import { Failure } from '../../src/errors.js'
import { build } from '../build.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

t.test('a member that asks for presence receives the members, and each device that joins or leaves', async (t) => {
  const { app } = await build(t, { env: { PRESENCE_GRACE_SECONDS: '3' } })
  const shop = await Peer.inject(t, app)
  const plain = await Peer.inject(t, app)
  await plain.join('r', 'plain')
  shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'till', presence: true })
  const { members } = (await shop.next('ROOM_JOINED')).payload
  const clientOf = (peer: Peer) => peer.frames[0]!.payload.clientId
  t.strictSame(members, [
    { clientId: clientOf(plain), deviceId: 'plain', role: 'device1' },
    { clientId: clientOf(shop), deviceId: 'till', role: 'device1' }
  ])

  const phone = await Peer.inject(t, app)
  phone.send('ENTERED_SUMMARY', { roomId: 'r', deviceId: 'phone' })
  const joined = await shop.next('DEVICE_JOINED')
  t.match(joined.payload, { roomId: 'r', clientId: clientOf(phone), deviceId: 'phone', role: 'device2', timestamp: Number })
  t.notOk('seq' in joined)

  phone.socket.terminate()
  await until('the phone dropped', () => app.sessions.size === 2)
  t.equal(app.rooms.members('r').length, 3, 'a device in its grace period is a member')
  const back = await Peer.inject(t, app)
  back.send('JOIN_ROOM', { roomId: 'r', deviceId: 'phone', role: 'device2' })
  await back.next('ROOM_JOINED')
  const second = await Peer.inject(t, app)
  await second.join('r', 'phone')
  second.socket.close()
  await until('the second connection of the same device is gone', () => app.sessions.size === 3)
  await shop.settled()
  t.equal(shop.frames.filter(({ type }) => type.startsWith('DEVICE_')).length, 1, 'no presence event for a device that is back in time or still has a connection')

  back.socket.terminate()
  t.match((await shop.next('DEVICE_LEFT')).payload, { roomId: 'r', clientId: clientOf(back), deviceId: 'phone', role: 'device2' })
  t.equal(app.rooms.members('r').length, 2)

  const leaver = await Peer.inject(t, app)
  await leaver.join('r', 'leaver')
  await shop.next('DEVICE_JOINED')
  await leaver.join('r', 'renamed')
  t.match((await shop.next('DEVICE_JOINED')).payload, { deviceId: 'renamed' })
  t.match((await shop.next('DEVICE_LEFT')).payload, { deviceId: 'leaver' })
  leaver.send('LEAVE_ROOM', { roomId: 'r' })
  t.match((await leaver.next('ROOM_LEFT')).payload, { roomId: 'r' })
  t.match((await shop.next('DEVICE_LEFT')).payload, { deviceId: 'renamed' }, 'a device that leaves has no grace period')
  t.strictSame(plain.frames.filter(({ type }) => type.startsWith('DEVICE_')), [], 'a member that did not ask for presence receives no presence events')
})

t.test('presence ends with its room, and survives a moment without connections', async (t) => {
  const { app } = await build(t, { env: { PRESENCE_GRACE_SECONDS: '60' } })
  const watcher = async (roomId: string, deviceId: string) => {
    const peer = await Peer.inject(t, app)
    peer.send('JOIN_ROOM', { roomId, deviceId, presence: true })
    const { payload } = await peer.next('ROOM_JOINED')
    return { peer, devices: payload.members.map((member: { deviceId: string }) => member.deviceId) as string[] }
  }
  const a = await watcher('r', 'a')
  const b = await watcher('r', 'b')
  b.peer.socket.terminate()
  await until('b dropped', () => app.sessions.size === 1)
  a.peer.socket.terminate()
  await until('a dropped', () => app.sessions.size === 0)
  const again = await watcher('r', 'a')
  t.strictSame(again.devices.sort(), ['a', 'b'])
  await watcher('r', 'b')
  await again.peer.settled()
  t.strictSame(again.peer.frames.filter(({ type }) => type.startsWith('DEVICE_')), [], 'both devices were back in time')

  const nameless = await Peer.inject(t, app)
  await nameless.join('r')
  await again.peer.next('DEVICE_JOINED')
  nameless.socket.terminate()
  await again.peer.next('DEVICE_LEFT')
  t.pass('a client without a device id has no grace period, since it cannot return under its generated name')

  again.peer.socket.terminate()
  await until('a dropped', () => app.sessions.size === 1)
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  t.strictSame((await watcher('r', 'c')).devices, ['c'], 'a new room begins without members')
})

t.test('a device becomes present when its join succeeds, and not before', async (t) => {
  const { app } = await build(t)
  const watch = await Peer.inject(t, app)
  watch.send('JOIN_ROOM', { roomId: 'r', deviceId: 'till', presence: true })
  await watch.next('ROOM_JOINED')
  const read = app.broker.read.bind(app.broker)
  const held: Array<() => void> = []
  app.broker.read = async (...args) => {
    await new Promise<void>((resolve) => { held.push(resolve) })
    return read(...args)
  }
  const join = async (deviceId?: string) => {
    const peer = await Peer.inject(t, app)
    const before = held.length
    peer.send('JOIN_ROOM', { roomId: 'r', deviceId })
    await until('the join reads the room', () => held.length > before)
    return peer
  }
  // Two joins of one device at once cause one presence event.
  const twins = [await join('phone'), await join('phone')]
  t.strictSame(app.rooms.members('r').map(({ deviceId }) => deviceId), ['till'])
  for (const answer of held) answer()
  for (const twin of twins) await twin.next('ROOM_JOINED')
  t.match((await watch.next('DEVICE_JOINED')).payload, { deviceId: 'phone' })
  // A refused join causes no presence event.
  app.broker.read = async () => new Failure('UNAVAILABLE')
  const late = await Peer.inject(t, app)
  late.send('JOIN_ROOM', { roomId: 'r', deviceId: 'late' })
  await late.next('ERROR')
  late.socket.close()
  await until('the refused client is gone', () => app.sessions.size === 3)
  await watch.settled()
  t.equal(watch.frames.filter(({ type }) => /^DEVICE/.test(type)).length, 1, 'no DEVICE_LEFT for a device that never joined')
  t.strictSame(app.rooms.members('r').map(({ deviceId }) => deviceId), ['till', 'phone'])
  t.match(app.rooms.members('r')[1], { connections: 2 })
})

t.test('a device is one member, whatever the number of its connections', async (t) => {
  const { app } = await build(t)
  const shop = await Peer.inject(t, app)
  const join = async (deviceId: string, peer?: Peer) => {
    const joining = peer ?? await Peer.inject(t, app)
    joining.send('JOIN_ROOM', { roomId: 'r', deviceId, presence: true })
    return { peer: joining, members: (await joining.next('ROOM_JOINED')).payload.members as Array<{ deviceId: string, connections?: number }> }
  }
  const listOf = (members: Array<{ deviceId: string, connections?: number }>) => members.map(({ deviceId, connections }) => [deviceId, connections])
  await join('till', shop)
  const old = await join('phone')
  // The phone's first socket is half-open: it stays until the heartbeat finds out.
  const { peer: again } = await join('phone')
  t.strictSame(listOf((await join('till', shop)).members), [['till', undefined], ['phone', 2]])
  const { data } = (await app.inject('/api/rooms/r')).json()
  t.strictSame(listOf(data.members), [['till', undefined], ['phone', 2]])
  t.match((await app.inject('/api/rooms')).json().data.rooms, [{ members: 2 }])

  old.peer.socket.terminate()
  await until('the old socket is gone', () => app.sessions.size === 2)
  t.strictSame(listOf((await join('till', shop)).members), [['till', undefined], ['phone', undefined]])
  again.send('LEAVE_ROOM', { roomId: 'r' })
  await shop.next('DEVICE_LEFT')
  t.strictSame(shop.frames.filter(({ type }) => type.startsWith('DEVICE_')).map(({ type, payload }) => [type, payload.deviceId]), [['DEVICE_JOINED', 'phone'], ['DEVICE_LEFT', 'phone']])
})
