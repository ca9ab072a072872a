// Memory broker: it fulfils the broker contract and forgets expired rooms.
import t from 'tap'
import type { RoomPage } from '../../../src/broker/broker.js'
import { MAX_NAMES, MemoryBroker } from '../../../src/broker/memory/memory-broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { brokerContract, LATE_RESULTS, LOG_SIZE, RETENTION, STALL } from '../contract.js'

function make (lateResults = 0) {
  let time = 1_000_000
  let epochs = 0
  const changes: string[] = []
  const calls = { monotonic: 0 }
  const broker = new MemoryBroker({
    logSize: LOG_SIZE,
    retention: RETENTION,
    lateResults,
    stall: STALL,
    now: () => time,
    monotonic: () => {
      calls.monotonic++
      return time
    },
    newEpoch: () => `epoch ${++epochs}`,
    onRoom: (change, roomId) => changes.push(`${roomId} ${change}`)
  })
  return { broker, changes, calls, tick: (ms: number) => { time += ms } }
}

t.test('the broker contract', (t) => {
  brokerContract(t, async () => {
    const { broker, tick } = make(LATE_RESULTS)
    return {
      broker,
      pass: async (ms) => {
        // Ticks come at intervals.
        for (let left = ms; left > 0; left -= STALL / 2) {
          tick(Math.min(left, STALL / 2))
          await broker.tick()
        }
      }
    }
  })
  t.end()
})

t.test('the sweep removes exactly the expired rooms and reports each one', async (t) => {
  const { broker, changes, tick } = make()
  const publish = (roomId: string) => broker.publish(roomId, draftEvent({ type: 'CLICKED_PAY', payload: { roomId } }, { source: 'device', timestamp: 1 }), true)
  await publish('old')
  await broker.subscribe('occupied')
  tick(RETENTION - 1)
  await publish('young')
  tick(1)
  t.equal(broker.size, 3)
  t.equal(await broker.sweep(), 1)
  t.equal(broker.size, 2)
  t.strictSame(changes, ['old created', 'occupied created', 'young created', 'old removed'])
  t.equal(await broker.sweep(), 0)
  await broker.close()
  t.equal(broker.size, 0)
})

t.test('a sweep of many rooms yields between batches, and counts the rooms that it removed itself', async (t) => {
  const { broker, changes, tick } = make()
  const count = 3_500
  for (let i = 0; i < count; i++) await broker.createRoom(`r${i}`, { ttl: 1000 })
  tick(1000)
  const [first, last] = ['r0', `r${count - 1}`]
  const swept = broker.sweep()
  t.notOk(changes.includes(`${last} removed`), 'several turns of the event loop')
  t.ok(changes.includes(`${first} removed`))
  t.match(broker.read(last), { code: 'ROOM_CLOSED' })
  t.match(await broker.createRoom(last, { ttl: 5000 }), { createdAt: Number }, 'the reopened room comes after the others')
  t.equal(await swept, count - 1)
  t.equal(broker.size, 1)
  t.equal(changes.filter((change) => change.endsWith('removed')).length, count)
  tick(RETENTION)
  await broker.sweep()
  t.equal(await broker.subscribe(first), undefined, 'all closed rooms are forgotten')
})

t.test('the other names of a room are bounded, and end with it', async (t) => {
  const { broker } = make()
  await broker.createRoom('r', { reference: 'order 1' })
  for (let i = 0; i < MAX_NAMES + 5; i++) broker.nameRoom(`p${i}`, 'r')
  t.equal(broker.roomNamed(`p${MAX_NAMES - 2}`), 'r')
  t.equal(broker.roomNamed(`p${MAX_NAMES - 1}`), undefined)
  await broker.closeRoom('r')
  for (const name of ['order 1', 'p0']) t.equal(broker.roomNamed(name), undefined)
})

t.test('a sweep asks the clock once for a thousand rooms with nothing to do', async (t) => {
  const { broker, calls, tick } = make(LATE_RESULTS)
  const publish = (type: string, roomId: string) => broker.publish(roomId, draftEvent({ type, payload: { roomId } }, { source: 'device', timestamp: 1 }), true)
  for (let n = 0; n < 500; n++) {
    await broker.createRoom(`with a deadline ${n}`, { ttl: 60 * RETENTION })
    await broker.subscribe(`occupied ${n}`)
    await publish('PAYMENT_SUCCESS', `paid ${n}`)
    await publish('CLICKED_PAY', `begun ${n}`)
  }
  // Reports the stalled ones.
  for (const pause of [0, STALL]) {
    tick(pause)
    await broker.sweep()
  }
  const { rooms } = await broker.listRooms({ limit: 2_000 }) as RoomPage
  t.strictSame([rooms.length, rooms.filter((room) => room.isStalled).length], [2_000, 500])
  calls.monotonic = 0
  t.equal(await broker.sweep(), 0)
  t.equal(calls.monotonic, 3, 'at the begin, and after each pause')
})

t.test('an expired room does not exist for a read before the next sweep', async (t) => {
  const { broker, changes, tick } = make()
  await broker.createRoom('r', { ttl: 1000 })
  await broker.createRoom('s', { ttl: 1000 })
  tick(1000)
  t.strictSame(await broker.listRooms({ limit: 10 }), { rooms: [] })
  t.match(await broker.read('r'), { code: 'ROOM_CLOSED' })
  t.strictSame(changes.slice(2), ['r removed', 's removed'])
  t.equal(await broker.sweep(), 0)
  t.match(await broker.subscribe('s'), { code: 'ROOM_CLOSED' })
  tick(RETENTION)
  await broker.sweep()
  t.equal(await broker.subscribe('s'), undefined, 'a closed room is forgotten after its retention')
})
