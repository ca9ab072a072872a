// Values of settings: the same values and rules as Ajv with coercion, which the messages are worded after.
import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { ConfigSchema } from '../src/config.js'
import { readValues } from '../src/setting-values.js'

const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false })
const validate = ajv.compile(ConfigSchema)

/** The values, or the broken rules, that Ajv finds. */
function byAjv (texts: Record<string, string>): { values: object, problems: string[] } {
  const values = { ...texts }
  validate(values)
  const problems = (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const { allowedValues } = params as { allowedValues?: string[] }
    return `${instancePath.slice(1)} ${message}${allowedValues ? `: ${allowedValues.join(', ')}` : ''}`
  })
  return { values, problems }
}

/** Texts near the rules of a setting, and arbitrary ones. Ajv also reads other spellings of a number, which a setting must not have. */
const texts = fc.oneof(
  fc.integer({ min: -3, max: 100_000_000 }).map(String),
  fc.constantFrom('0', '65535', '65536', '2147483', '2147484', 'true', 'false', 'info', 'any', 'backend', 'auto', 'off', 'https://a.example', 'wsp', '😀'),
  fc.string({ minLength: 1, maxLength: 70 }).filter((text) => Number.isNaN(Number(text)))
)
const settings = fc.dictionary(fc.constantFrom(...Object.keys(ConfigSchema.properties)), texts, { maxKeys: 12 }).map((entries) => ({ ...entries }))

t.test('values and broken rules are those of Ajv', async (t) => {
  const outcomes = { accepted: 0, refused: 0 }
  fc.assert(fc.property(settings, (given) => {
    const expected = byAjv(given)
    const { values, problems } = readValues(ConfigSchema.properties, given)
    if (expected.problems.length === 0) {
      t.strictSame(values, expected.values)
      outcomes.accepted++
    } else outcomes.refused++
    t.strictSame(problems, expected.problems)
  }), { numRuns: 500, seed: 1 })
  t.ok(outcomes.accepted > 20 && outcomes.refused > 100, JSON.stringify(outcomes))
})

t.test('an integer is written in decimal digits', async (t) => {
  const schemas = { PORT: ConfigSchema.properties.PORT }
  for (const PORT of ['1e3', '0x50', 'Infinity', '80.0', '+80', '']) t.strictSame(readValues(schemas, { PORT }).problems, ['PORT must be integer'], PORT)
  t.strictSame(readValues(schemas, { PORT: '-0' }).problems, [])
})

t.test('no schema of a setting has a rule that is not checked', async (t) => {
  const known = ['type', 'minimum', 'maximum', 'minLength', 'pattern', 'enum', 'default', 'description']
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    t.strictSame(Object.keys(schema).filter((key) => !known.includes(key)), [], name)
    t.ok(['integer', 'boolean', 'string'].includes(schema.type as string), name)
  }
})
