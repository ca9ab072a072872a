// Text that is looked for word by word, against the same text byte by byte.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { isAt, viewOf, written } from '../../src/protocol/written.js'

t.test('text is found where it is, whole, and nowhere else', async (t) => {
  let found = 0
  const few = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 4, maxLength: 14 })
  fc.assert(fc.property(few, few, fc.nat({ max: 5 }), (memory, text, before) => {
    const whole = Buffer.from(`${'a'.repeat(before)}${memory}`)
    for (const bytes of [whole, Buffer.concat([Buffer.from('left'), whole]).subarray(4)]) {
      for (let end = 0; end <= bytes.length; end++) {
        for (let at = 0; at <= end; at++) {
          const expected = bytes.subarray(at, end).indexOf(text) === 0
          if (expected) found++
          assert.equal(isAt(viewOf(bytes), at, end, written(text)), expected, `${text} at ${at} in ${bytes} up to ${end}`)
        }
      }
    }
  }), { numRuns: 200 })
  t.ok(found > 100, `${found} times`)
})

t.test('a view is of the bytes that are asked about', async (t) => {
  const [first, second] = [Buffer.from('first'), Buffer.from('second')]
  t.ok(isAt(viewOf(first), 0, 5, written('first')))
  t.ok(isAt(viewOf(second), 0, 6, written('second')))
  t.ok(isAt(viewOf(first), 1, 5, written('irst')))
})
