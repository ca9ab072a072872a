// Text searched word by word, compared with a search byte by byte.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { bytePattern, matchesAt } from '../../src/protocol/fast-decode.js'
import { bytesEqual } from '../../src/protocol/string-cache.js'

const viewOf = (bytes: Buffer) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

t.test('a complete text is found at its position and nowhere else', async (t) => {
  let found = 0
  const few = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 4, maxLength: 14 })
  fc.assert(fc.property(few, few, fc.nat({ max: 5 }), (memory, text, before) => {
    const buffer = Buffer.from(`${'a'.repeat(before)}${memory}`)
    for (const bytes of [buffer, Buffer.concat([Buffer.from('left'), buffer]).subarray(4)]) {
      for (let end = 0; end <= bytes.length; end++) {
        for (let at = 0; at <= end; at++) {
          const expected = bytes.subarray(at, end).indexOf(text) === 0
          if (expected) found++
          assert.equal(matchesAt(viewOf(bytes), at, end, bytePattern(text)), expected, `${text} at ${at} in ${bytes} up to ${end}`)
        }
      }
    }
  }), { numRuns: 800 })
  t.ok(found > 100, `${found} matches`)
})

t.test('two ranges are equal if all their bytes are', async () => {
  const few = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 4, maxLength: 13 })
  fc.assert(fc.property(few, few, (first, second) => {
    const bytes = Buffer.from(`${first}left${second}right`)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const other = first.length + 4
    for (let length = 4; length <= Math.min(first.length, second.length); length++) {
      assert.equal(bytesEqual(view, 0, view, other, length), first.slice(0, length) === second.slice(0, length), `${length} bytes of ${first} and ${second}`)
    }
  }), { numRuns: 2_000 })
})
