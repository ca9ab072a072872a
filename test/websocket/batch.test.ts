// Within a turn time stands still, and what is put off is done as it ends.
import t from 'tap'
import { atEndOfTurn, beginTurn, endTurn, isTurn, turnClock } from '../../src/websocket/batch.js'

t.test('a clock is read once in a turn, where it is asked, and each time outside of one', async (t) => {
  let time = 0
  let reads = 0
  const clock = turnClock(() => {
    reads++
    return ++time
  })
  const other = turnClock(() => time)
  t.strictSame([clock(), clock()], [1, 2])
  beginTurn()
  t.equal(isTurn(), true)
  t.strictSame([clock(), clock(), other()], [3, 3, 3])
  time = 10
  t.strictSame([clock(), other()], [3, 3])
  endTurn()
  t.equal(isTurn(), false)
  t.strictSame([clock(), other()], [11, 11])
  beginTurn()
  endTurn()
  beginTurn()
  t.strictSame([other(), clock()], [11, 12])
  endTurn()
  t.equal(reads, 5)
})

t.test('what is put off is done in order, after the turn and each time', async (t) => {
  const done: string[] = []
  atEndOfTurn(() => { done.push(`one ${isTurn()}`) })
  atEndOfTurn(() => { done.push('two') })
  for (let n = 0; n < 2; n++) {
    beginTurn()
    endTurn()
  }
  t.strictSame(done, ['one false', 'two', 'one false', 'two'])
})
