// Within a turn time stands still, and what is put off is done as it ends.
import t from 'tap'
import { onBatchEnd, beginBatch, endBatch, inBatch, batchClock } from '../../src/websocket/batch.js'

t.test('a clock is read once in a turn, where it is asked, and each time outside of one', async (t) => {
  let time = 0
  let reads = 0
  const clock = batchClock(() => {
    reads++
    return ++time
  })
  const other = batchClock(() => time)
  t.strictSame([clock(), clock()], [1, 2])
  beginBatch()
  t.equal(inBatch(), true)
  t.strictSame([clock(), clock(), other()], [3, 3, 3])
  time = 10
  t.strictSame([clock(), other()], [3, 3])
  endBatch()
  t.equal(inBatch(), false)
  t.strictSame([clock(), other()], [11, 11])
  beginBatch()
  endBatch()
  beginBatch()
  t.strictSame([other(), clock()], [11, 12])
  endBatch()
  t.equal(reads, 5)
})

t.test('what is put off is done in order, after the turn and each time', async (t) => {
  const done: string[] = []
  onBatchEnd(() => { done.push(`one ${inBatch()}`) })
  onBatchEnd(() => { done.push('two') })
  for (let n = 0; n < 2; n++) {
    beginBatch()
    endBatch()
  }
  t.strictSame(done, ['one false', 'two', 'one false', 'two'])
})
