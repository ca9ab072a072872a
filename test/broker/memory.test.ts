// The memory broker keeps the contract, and forgets what has expired.
import t from 'tap'
import { MemoryBroker } from '../../src/broker/memory.js'
import { draftEvent } from '../../src/protocol/codec.js'
import { brokerContract, LOG_SIZE, RETENTION } from './contract.js'

function make () {
  let time = 1_000_000
  let epochs = 0
  const changes: string[] = []
  const broker = new MemoryBroker({
    logSize: LOG_SIZE, retention: RETENTION, now: () => time, newEpoch: () => `epoch ${++epochs}`, onRoom: (change, roomId) => changes.push(`${roomId} ${change}`)
  })
  return { broker, changes, tick: (ms: number) => { time += ms } }
}

t.test('the broker contract', (t) => {
  brokerContract(t, async () => {
    const { broker, tick } = make()
    return {
      broker,
      pass: async (ms) => {
        tick(ms)
        await broker.tick()
      }
    }
  })
  t.end()
})

t.test('the sweep removes exactly the expired rooms and tells of each', async (t) => {
  const { broker, changes, tick } = make()
  const publish = (roomId: string) => broker.publish(roomId, draftEvent({ type: 'CLICKED_PAY', payload: { roomId } }, { source: 'device', timestamp: 1 }), true)
  await publish('old')
  await broker.subscribe('occupied')
  tick(RETENTION - 1)
  await publish('young')
  tick(1)
  t.equal(broker.size, 3)
  t.equal(broker.sweep(), 1)
  t.equal(broker.size, 2)
  t.strictSame(changes, ['old created', 'occupied created', 'young created', 'old removed'])
  t.equal(broker.sweep(), 0)
  await broker.close()
  t.equal(broker.size, 0)
})

t.test('an ended room is gone for whoever asks before the sweep has been there', async (t) => {
  const { broker, changes, tick } = make()
  await broker.createRoom('r', 1000)
  await broker.createRoom('s', 1000)
  tick(1000)
  t.strictSame(await broker.listRooms(10), { rooms: [] })
  t.match(await broker.read('r'), { code: 'ROOM_CLOSED' })
  t.strictSame(changes.slice(2), ['r removed'])
  t.equal(broker.sweep(), 1)
  t.match(await broker.subscribe('s'), { code: 'ROOM_CLOSED' })
  tick(RETENTION)
  broker.sweep()
  t.equal(await broker.subscribe('s'), undefined, 'what was closed long ago is forgotten')
})
