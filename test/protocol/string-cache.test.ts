// Cached names: equal to the text in the bytes and checked by their rule, after any other reads.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { checkOf } from '../../src/protocol/compiled-checks.js'
import { DeviceId, RoomId } from '../../src/protocol/identifiers.js'
import { InternedStrings } from '../../src/protocol/string-cache.js'

const viewOf = (bytes: Buffer) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
const rooms = checkOf(RoomId)
const reader = (check = rooms) => {
  const names = new InternedStrings(check)
  return (name: string) => {
    const bytes = Buffer.from(`"${name}"`)
    return names.read(bytes, viewOf(bytes), 1, bytes.length - 1)
  }
}

t.test('a name is read correctly the first time and later, also after another name replaced it', async (t) => {
  const read = reader()
  let matched = 0
  const name = fc.oneof(
    fc.constantFrom('', '.', '..', '...', 'a b', 'r', 'room-000001', 'room-000002', '4111111111111111', 'x'.repeat(64), 'x'.repeat(65), 'y'.repeat(65), 'x'.repeat(129)),
    fc.stringMatching(/^[a-c.~ -]{0,4}$/)
  )
  fc.assert(fc.property(name, (name) => {
    const expected = rooms(name) && name !== '4111111111111111' ? name : undefined
    if (expected !== undefined) matched++
    for (let time = 0; time < 2; time++) assert.equal(read(name), expected)
  }), { numRuns: 2_000 })
  // More names than the cache has places.
  for (let time = 0; time < 2; time++) for (let n = 0; n < 10_000; n++) assert.equal(read(`room-${n}`), `room-${n}`)
  t.ok(matched > 500, `${matched} of the texts were names`)
})

t.test('a cached name keeps no reference to the bytes that it was read from', async (t) => {
  const names = new InternedStrings(rooms)
  const bytes = Buffer.from('room-1')
  const read = () => names.read(bytes, viewOf(bytes), 0, 6)
  t.equal(read(), 'room-1')
  const first = read()
  bytes.write('room-2')
  t.equal(read(), 'room-2')
  t.equal(first, 'room-1')
  bytes.write('room-1')
  t.equal(read(), first)
})

t.test('each kind of name has its rule', async (t) => {
  const [room, device] = [reader(), reader(checkOf(DeviceId))]
  for (const name of ['my phone', '.', '..']) {
    t.equal(device(name), name)
    t.equal(room(name), undefined)
  }
})
