// Validators of requests: those that a build compiles find what Fastify's compiler finds, in the same words.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { TSchema } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { RequestValidators, validatorModule, type CompiledValidators, type RequestPart } from '../../src/http/request-validators.js'
import { build } from '../build.js'

/** Parts of the requests to all routes, and the components of their schemas. */
async function partsOf (t: Test): Promise<{ parts: RequestPart[], components: Record<string, TSchema> }> {
  const parts: RequestPart[] = []
  const { app } = await build(t, {
    prepare: (app) => app.addHook('onRoute', ({ schema = {} }) => {
      for (const httpPart of ['body', 'querystring', 'params', 'headers'] as const) if (schema[httpPart]) parts.push({ schema: schema[httpPart] as TSchema, httpPart })
    })
  })
  return { parts, components: app.getSchemas() as Record<string, TSchema> }
}

async function compiledOf (t: Test) {
  const { parts, components } = await partsOf(t)
  const file = join(t.testdir({}), 'validators.cjs')
  writeFileSync(file, validatorModule(components, parts))
  return { parts, components, compiled: createRequire(import.meta.url)(file) as CompiledValidators }
}

/** Values of every kind that a request may hold, right and wrong ones. */
const VALUES: readonly unknown[] = [
  null, [], 'text', 7, {}, { roomId: 'room-1' }, { roomId: '' }, { roomId: 'x'.repeat(200), provider: 'x'.repeat(40) }, { limit: '5', since: 'x' }, { limit: '0' }, { since: '3', epoch: 'e' },
  { type: 'PAYMENT_SUCCESS', payload: { roomId: 'room-1', amount: 12.5 } }, { type: 'PAYMENT_SUCCESS', payload: { amount: '1,5', currency: 'R' } }, { type: 'NO_EVENT' }, { type: 'CLICKED_PAY', id: '' },
  { role: 'device1' }, { role: 'device3', ttlSeconds: 0 }, { role: 'device2', deviceId: 'phone', ttlSeconds: '5' }, { roomId: 'r', amount: -1, currency: 'BRL', ttlSeconds: 1e12, reference: 5 },
  { event: 'PROMO', data: { any: 1 } }, { 'idempotency-key': 'x'.repeat(300) }, { 'last-event-id': 'x'.repeat(300) }, { provider: 'stripe' }, { deviceId: '', role: 'x' }, { extra: 1 }
]

t.test('compiled validators accept, coerce and refuse as Fastify\'s compiler does', async (t) => {
  const { parts, components, compiled } = await compiledOf(t)
  const [ahead, here] = [new RequestValidators(components, compiled), new RequestValidators(components)]
  const outcomes = { accepted: 0, refused: 0 }
  for (const part of parts) {
    t.ok(Object.hasOwn(compiled, ahead.nameOf(part)), 'the part is among the compiled ones')
    for (const value of VALUES) {
      const [first, second] = [structuredClone(value), structuredClone(value)]
      const [validate, expected] = [ahead.of(part), here.of(part)]
      t.not(validate, expected, 'two validators')
      const isValid = validate(first)
      outcomes[isValid ? 'accepted' : 'refused']++
      t.equal(isValid, expected(second), JSON.stringify(value))
      t.strictSame(first, second, 'coerced the same way')
      t.strictSame(JSON.parse(JSON.stringify(validate.errors)), JSON.parse(JSON.stringify(expected.errors)), 'the same rules are broken')
    }
  }
  t.ok(outcomes.accepted > 30 && outcomes.refused > 100, JSON.stringify(outcomes))
})

t.test('a validator is not used for another schema, other components, or another part of a request', async (t) => {
  const { parts, components, compiled } = await compiledOf(t)
  const [part] = parts as [RequestPart]
  const same = new RequestValidators(components, compiled)
  t.equal(same.of(part), compiled[same.nameOf(part)])
  t.notOk(Object.hasOwn(compiled, same.nameOf({ ...part, schema: { ...part.schema, description: 'another one' } })))
  t.notOk(Object.hasOwn(compiled, same.nameOf({ ...part, httpPart: part.httpPart === 'body' ? 'params' : 'body' })))
  const others = new RequestValidators({ ...components, Another: { $id: 'Another', type: 'string' } as unknown as TSchema }, compiled)
  t.notOk(Object.hasOwn(compiled, others.nameOf(part)))
})
