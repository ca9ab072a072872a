// Checks of values: those that a build writes accept and refuse what the checks of sources do.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Type, type TSchema } from '@sinclair/typebox'
import t from 'tap'
import { checkOf, checksModule, type Check } from '../../src/protocol/compiled-checks.js'
import { COMMANDS, EVENTS, EVENT_TYPES, Role } from '../../src/protocol/events.js'
import { DeviceId, RoomId } from '../../src/protocol/identifiers.js'

const SCHEMAS = [
  RoomId, DeviceId, Role, Type.Object({ role: Type.Optional(Role), roles: Type.Array(Role) }), ...EVENT_TYPES.map((type) => EVENTS[type].schema), ...Object.values(COMMANDS)
]

const VALUES: readonly unknown[] = [
  null, 7, 'room-1', '', '.', 'my phone', 'device1', 'device3', [], {}, { roomId: 'room-1' }, { roomId: 'room-1', role: 'device3' }, { roomId: 'room-1', deviceId: 'phone', role: 'device2' },
  { roles: ['device1'] }, { roles: ['device1', 'x'] }, { roles: [], role: 'device2' }, { roles: [], role: null }, { roomId: 'room-1', recover: { epoch: 'e', seq: 0 } }, { roomId: 'room-1', recover: { seq: -1 } },
  { roomId: 'room-1', deviceId: 'phone', amount: 12.5, currency: 'BRL' }, { roomId: 'room-1', deviceId: 'phone', amount: '12' }, { roomId: 'room-1', deviceId: 'phone', error: 'none', code: 'x' }
]

t.test('a written check accepts and refuses as TypeBox does, for every message', async (t) => {
  const here = SCHEMAS.map((schema) => checkOf(schema))
  const file = join(t.testdir({}), 'checks.cjs')
  writeFileSync(file, checksModule())
  const written = createRequire(import.meta.url)(file) as Record<string, ReturnType<typeof checkOf>>
  const outcomes = { accepted: 0, refused: 0 }
  for (const [i, schema] of SCHEMAS.entries()) {
    const ahead = checkOf(schema, written)
    t.ok(Object.values(written).includes(ahead), 'the check is a written one')
    for (const value of VALUES) {
      outcomes[ahead(value) ? 'accepted' : 'refused']++
      t.equal(ahead(value), here[i]!(value), JSON.stringify(value))
    }
  }
  t.ok(outcomes.accepted > 20 && outcomes.refused > 100, JSON.stringify(outcomes))
  t.strictSame(['device1', 'device2', 'device3', undefined].map(checkOf(Role, written)), [true, true, false, false], 'an enum of ours')
})

t.test('a check is not used for another schema', async (t) => {
  const never: Check<TSchema> = (value): value is unknown => value === never
  const everything = new Proxy({}, { get: (_target, name) => names.has(name) ? never : undefined })
  const names = new Set<string | symbol>()
  const recorder = new Proxy({}, { get: (_target, name) => { names.add(name) } })
  checkOf(RoomId, recorder)
  t.ok(checkOf(RoomId as TSchema, everything) === never)
  const isReused = (schema: TSchema) => checkOf(schema, everything) === never
  for (const schema of [DeviceId, { ...RoomId, maxLength: 5 }]) t.notOk(isReused(schema))
  checkOf(Type.Object({ id: RoomId }), recorder)
  const plain = JSON.parse(JSON.stringify(RoomId)) as object
  t.notOk(isReused(Type.Object({ id: Type.Unknown(plain) })), 'another kind with the same text, whose check is another one')
})
