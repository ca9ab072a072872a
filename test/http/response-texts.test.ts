// Texts of responses: the declared keys and no others, for all routes without Fastify's own compiler.
import { createRequire } from 'node:module'
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { ResponseTexts } from '../../src/http/response-texts.js'

const components = {
  Terms: { $id: 'Terms', type: 'object', required: ['amount'], properties: { amount: { anyOf: [{ type: 'number' }, { type: 'string' }] }, note: { type: 'string' } } },
  Labels: { $id: 'Labels', type: 'object', patternProperties: { '^(.*)$': { type: 'string' } } }
} as unknown as Record<string, TSchema>
const schemaOf = (schema: object) => schema as TSchema
const textOf = (schema: object, value: unknown) => new ResponseTexts(components).of(schemaOf(schema))(value)

t.test('a response has the declared keys alone, at every depth', async (t) => {
  const schema = {
    type: 'object',
    required: ['terms', 'list'],
    properties: { terms: { $ref: 'Terms', description: 'those of the link' }, list: { type: 'array', items: { $ref: 'Terms' } }, name: { anyOf: [{ type: 'string' }, { type: 'null' }] } }
  }
  t.equal(textOf(schema, { hidden: 1, list: [{ amount: 1, hidden: 2 }, { amount: '2.50', note: 'n' }], terms: { amount: 3, hidden: { deep: 1 } }, name: null }),
    '{"terms":{"amount":3},"list":[{"amount":1},{"amount":"2.50","note":"n"}],"name":null}')
  t.equal(textOf(schema, { list: [], terms: { amount: 1, note: undefined }, name: undefined }), '{"terms":{"amount":1},"list":[]}')
})

t.test('further keys are copied where the schema allows them, also one that JavaScript treats as special', async (t) => {
  const value = JSON.parse('{"a":"x","__proto__":"y"}') as object
  t.equal(textOf({ $ref: 'Labels' }, value), '{"a":"x","__proto__":"y"}')
  t.equal(textOf({ type: 'object', additionalProperties: true, properties: { z: { type: 'string' } } }, { b: { any: [1] }, z: 'z' }), '{"z":"z","b":{"any":[1]}}')
  t.equal(textOf({ type: 'object', additionalProperties: { $ref: 'Terms' } }, { one: { amount: 1, hidden: 2 } }), '{"one":{"amount":1}}')
  t.equal(textOf({ type: 'object', additionalProperties: false }, { b: 1 }), '{}')
})

t.test('a plain value is written as it is', async (t) => {
  for (const [schema, value] of [[{ type: 'string' }, 'é"'], [{ type: 'integer' }, 5], [{ type: 'null' }, null], [{ enum: ['a'] }, 'a'], [{ const: true, type: 'boolean' }, true]] as const) {
    t.equal(textOf(schema, value), JSON.stringify(value))
  }
})

t.test('a response without a required key is a bug, and throws', async (t) => {
  t.throws(() => textOf({ $ref: 'Terms' }, { note: 'n' }), { message: 'the response lacks amount' })
})

t.test('a schema that needs a choice or an unknown keyword is compiled by Fastify\'s compiler', async (t) => {
  const either = { anyOf: [{ type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }, { type: 'object', properties: { b: { type: 'string' } } }] }
  t.equal(textOf(either, { b: 'x', c: 1 }), '{"b":"x"}')
  const texts = new ResponseTexts(components)
  t.equal(texts.of(schemaOf({ type: 'object', properties: { at: { type: 'string', format: 'date' } } }))({ at: new Date(0), c: 1 }), '{"at":"1970-01-01"}')
  t.equal(texts.of(schemaOf({ type: 'object', patternProperties: { '^x': { type: 'string' } } }))({ x1: 'a', y: 'b' }), '{"x1":"a"}')
  t.equal(texts.of(schemaOf({ type: 'array' }))([1, 'a']), '[1,"a"]')
  t.throws(() => texts.of(schemaOf({ $ref: 'Nobody' })), /Nobody/)
})

t.test('the texts mean what Fastify\'s compiler writes', async (t) => {
  const compile = (createRequire(import.meta.url)('@fastify/fast-json-stringify-compiler') as () => (schemas: object, options: object) => (part: { schema: object }) => (value: unknown) => string)()(components, {})
  for (const [schema, value] of [
    [{ type: 'object', required: ['b'], properties: { a: { type: 'string' }, b: { type: 'integer' } } }, { a: 'x', b: 1, c: 2 }],
    [{ $ref: 'Labels' }, { a: 'b' }],
    [{ type: 'array', items: { $ref: 'Terms' } }, [{ amount: 5, more: 1 }]]
  ] as const) t.strictSame(JSON.parse(textOf(schema, value)), JSON.parse(compile({ schema })(value)))
})
