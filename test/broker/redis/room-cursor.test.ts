// The live end of a room lets every entry through once and in order, whatever arrives from its two sides.
import fc from 'fast-check'
import t from 'tap'
import { RoomCursor } from '../../../src/broker/redis/room-cursor.js'

t.test('what it lets through is an unbroken run, and it misses nothing that came in order', async () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 40 }), (arrivals) => {
    const cursor = new RoomCursor('r')
    cursor.epoch = 'e'
    const through = arrivals.filter((seq) => cursor.advance({ epoch: 'e', seq }) === 'next')
    // The model: an entry goes through when it is the one after the last.
    let last = 0
    const expected = arrivals.filter((seq) => seq === last + 1 && ++last > 0)
    return JSON.stringify(through) === JSON.stringify(expected) && through.every((seq, i) => seq === i + 1)
  }))
})

t.test('it tells a repetition from a gap, and another epoch is always a gap', async (t) => {
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
