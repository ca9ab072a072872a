// The order of the rooms in memory: both directions agree with a plain list, whatever starts and ends.
import fc from 'fast-check'
import t from 'tap'
import { RoomOrder } from '../../../src/broker/memory/room-order.js'

t.test('rooms are found above and below any number, the nearest first', async (t) => {
  const order = new RoomOrder()
  t.strictSame([order.above(0, 5), order.below(Infinity, 5)], [[], []])
  for (const [i, roomId] of ['a', 'b', 'c'].entries()) order.add(roomId, i + 1)
  t.strictSame(order.above(1, 5), [{ roomId: 'b', number: 2 }, { roomId: 'c', number: 3 }])
  t.strictSame(order.below(3, 1), [{ roomId: 'b', number: 2 }])
  order.clear()
  t.strictSame(order.below(Infinity, 5), [])
  order.add('d', 9)
  t.strictSame(order.below(Infinity, 5), [{ roomId: 'd', number: 9 }])
})

t.test('the order is that of a plain list, over many blocks with gaps', async (t) => {
  const actions = fc.array(fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 1500 }) }),
    fc.record({ remove: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), count: fc.integer({ min: 1, max: 1500 }) })
  ), { minLength: 1, maxLength: 12 })
  t.doesNotThrow(() => fc.assert(fc.property(actions, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 3000 }), (steps, place, limit) => {
    const order = new RoomOrder()
    const plain: Array<{ roomId: string, number: number }> = []
    let last = 0
    for (const step of steps) {
      if ('add' in step) {
        for (let i = 0; i < step.add; i++) {
          plain.push({ roomId: 'r', number: last += 1 + i % 3 })
          order.add('r', last)
        }
      } else {
        const from = Math.floor(plain.length * step.remove)
        for (const { number } of plain.splice(from, step.count)) order.remove(number)
      }
    }
    const at = Math.floor((plain.at(-1)?.number ?? 0) * place)
    return JSON.stringify(order.above(at, limit)) === JSON.stringify(plain.filter(({ number }) => number > at).slice(0, limit)) &&
      JSON.stringify(order.below(at, limit)) === JSON.stringify(plain.filter(({ number }) => number < at).reverse().slice(0, limit))
  }), { numRuns: 60, seed: 1 }))
})
