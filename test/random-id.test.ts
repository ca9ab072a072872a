// Ids of clients and requests: one form, and no id twice.
import t from 'tap'
import { shortId } from '../src/random-id.js'

t.test('every id has twelve hexadecimal digits and is unique', async (t) => {
  const ids = Array.from({ length: 5_000 }, shortId)
  t.equal(new Set(ids).size, ids.length)
  t.ok(ids.every((id) => /^[0-9a-f]{12}$/.test(id)))
})

t.test('every digit of an id takes every value', async (t) => {
  const seen = Array.from({ length: 12 }, () => new Set<string>())
  for (let n = 0; n < 2_000; n++) [...shortId()].forEach((digit, place) => seen[place]!.add(digit))
  t.strictSame(seen.map(({ size }) => size), Array.from({ length: 12 }, () => 16))
})
