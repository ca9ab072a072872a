// The memberships of a subscriber behave as a Map by room id, also when the one that is kept without a Map goes and comes.
import fc from 'fast-check'
import t from 'tap'
import { MembershipMap } from '../../src/rooms/membership-map.js'
import type { Member } from '../../src/rooms/room.js'

const ROOMS = ['one', 'two', 'three']

t.test('as a Map does', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(fc.array(fc.record({ roomId: fc.constantFrom(...ROOMS), joins: fc.boolean() }), { maxLength: 30 }), (steps) => {
    const [map, model] = [new MembershipMap(), new Map<string, Member>()]
    for (const { roomId, joins } of steps) {
      if (joins && !model.has(roomId)) {
        const member = { room: { roomId } } as Member
        map.add(member)
        model.set(roomId, member)
      } else if (!joins) {
        map.delete(roomId)
        model.delete(roomId)
      }
      const members = map.values()
      if (map.size !== model.size || members.length !== model.size || !members.every((member) => [...model.values()].includes(member))) return false
      if (!ROOMS.every((name) => map.get(name) === model.get(name))) return false
    }
    return true
  })))
})
