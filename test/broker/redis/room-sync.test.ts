// Opening a room: entries that come before the reply are delivered in the order of the log, without a read of the log.
import t from 'tap'
import type { LogEntry } from '../../../src/broker/broker.js'
import { RoomCursor } from '../../../src/broker/redis/room-cursor.js'
import { RoomSync, type RoomSyncOptions } from '../../../src/broker/redis/room-sync.js'
import type { OpenedRoom } from '../../../src/broker/redis/store.js'

/** A room being opened, with the reply of Redis in the test's hands. */
function opening () {
  const cursor = new RoomCursor('r')
  const delivered: number[] = []
  let reply: (room: OpenedRoom) => void = () => {}
  let reads = 0
  const store = {
    open: () => new Promise<OpenedRoom>((resolve) => { reply = resolve }),
    // An answer that never comes: only the requests are counted.
    read: () => { reads++; return new Promise(() => {}) }
  } as unknown as RoomSyncOptions['store']
  const members = { remoteMembers: () => new Map() } as unknown as RoomSyncOptions['members']
  const sync = new RoomSync({ store, members, retention: 1_000, monotonic: () => 0, onBegan: () => {}, onRenewed: async () => {}, runInBackground: () => {} }, {
    isLive: () => true,
    onEntry: (_cursor, { seq }) => delivered.push(seq),
    onLost: () => t.fail('nothing is lost'),
    onEnded: () => t.fail('the room goes on'),
    onRemoteMembers: () => {}
  })
  const opened = sync.open(cursor)
  const entry = (seq: number): LogEntry => ({ epoch: 'e', seq, origin: undefined, frame: Buffer.alloc(0) as never })
  return {
    cursor,
    delivered,
    reads: () => reads,
    fromChannel: (seq: number) => sync.receive(cursor, entry(seq)),
    answered: (seq: number) => sync.receive(cursor, entry(seq), { isOwn: true }),
    open: async (seq: number) => {
      reply({ epoch: 'e', seq, isNew: false, left: Infinity, deadline: null, members: [] } as unknown as OpenedRoom)
      await opened
    }
  }
}

t.test('the answers to our own events may come after later entries of the channel', async (t) => {
  const { delivered, fromChannel, answered, open, reads } = opening()
  fromChannel(3)
  fromChannel(4)
  answered(1)
  answered(2)
  await open(0)
  t.strictSame(delivered, [1, 2, 3, 4])
  t.equal(reads(), 0)
})

t.test('an entry before the answer to an event of ours is still in the channel', async (t) => {
  const { delivered, fromChannel, answered, open, reads } = opening()
  answered(7)
  await open(5)
  t.strictSame(delivered, [])
  fromChannel(6)
  t.strictSame(delivered, [6, 7])
  t.equal(reads(), 0)
})

t.test('an entry that the view of the room contains is not delivered', async (t) => {
  const { delivered, fromChannel, answered, open } = opening()
  answered(1)
  fromChannel(3)
  fromChannel(2)
  await open(2)
  t.strictSame(delivered, [3])
})

t.test('a gap in the channel is read from the log', async (t) => {
  const { cursor, fromChannel, open, reads } = opening()
  fromChannel(2)
  await open(0)
  t.equal(reads(), 1)
  t.equal(cursor.catchingUp, 'reading')
})
