// Live end of a room: it passes each entry once and in order, for any arrivals from its two sources.
import fc from 'fast-check'
import t from 'tap'
import { RoomCursor } from '../../../src/broker/redis/room-cursor.js'

t.test('passed entries are an unbroken run, and no entry that came in order is missed', async () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 40 }), (arrivals) => {
    const cursor = new RoomCursor('r')
    cursor.epoch = 'e'
    const through = arrivals.filter((seq) => cursor.advance({ epoch: 'e', seq }) === 'next')
    // Reference model: an entry passes if it follows the last one.
    let last = 0
    const expected = arrivals.filter((seq) => seq === last + 1 && ++last > 0)
    return JSON.stringify(through) === JSON.stringify(expected) && through.every((seq, i) => seq === i + 1)
  }))
})

t.test('the cursor distinguishes a repetition from a gap, and another epoch is always a gap', async (t) => {
  const cursor = new RoomCursor('r')
  cursor.epoch = 'e'
  cursor.seq = 5
  t.equal(cursor.advance({ epoch: 'e', seq: 5 }), 'seen')
  t.equal(cursor.advance({ epoch: 'e', seq: 7 }), 'gap')
  t.equal(cursor.advance({ epoch: 'f', seq: 6 }), 'gap')
  t.equal(cursor.advance({ epoch: 'e', seq: 6 }), 'next')
  t.ok(cursor.isAt({ epoch: 'e', seq: 6 }))
  t.notOk(cursor.isAt({ epoch: 'f', seq: 6 }))
  t.notOk(cursor.isAt({ epoch: 'e', seq: 5 }))
})
