// Building blocks of the published schemas.
import { Type, type Static } from '@sinclair/typebox'
import t from 'tap'
import { Ref, StringEnum } from '../../src/protocol/schema.js'

t.test('Ref refers to a schema by its $id, has that schema\'s type, and accepts its own description', async (t) => {
  const Room = Type.Object({ roomId: Type.String() }, { $id: 'Room' })
  const reference = Ref(Room)
  const room: Static<typeof reference> = { roomId: 'r' }
  t.strictSame(JSON.parse(JSON.stringify(reference)), { $ref: 'Room' })
  t.equal(room.roomId, 'r')
  t.strictSame(JSON.parse(JSON.stringify(Ref(Room, 'What it is here.'))), { $ref: 'Room', description: 'What it is here.' })
})

t.test('Ref to a schema without an $id throws at once', async (t) => {
  t.throws(() => Ref(Type.Object({})), { message: 'Ref needs a schema with an $id' })
  t.throws(() => Ref(Type.String({ $id: '' })), { message: 'Ref needs a schema with an $id' })
})

t.test('StringEnum is one list of strings, not a union of constants', async (t) => {
  const values = ['up', 'down'] as const
  const schema = StringEnum(values, { description: 'How it is.', default: 'up' })
  const value: Static<typeof schema> = 'down'
  t.strictSame(JSON.parse(JSON.stringify(schema)), { type: 'string', enum: ['up', 'down'], description: 'How it is.', default: 'up' })
  t.strictSame(JSON.parse(JSON.stringify(StringEnum(['one']))), { type: 'string', enum: ['one'] })
  t.not((schema as unknown as { enum: unknown }).enum, values, 'the list is a copy')
  t.equal(value, 'down')
})
