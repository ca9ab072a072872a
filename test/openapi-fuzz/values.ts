// Values for a schema of the document: valid, almost valid, and hostile ones.
import type { Random } from './random.js'

/** Schema as it is in the document. */
type Schema = any

/** Few names, so that the requests of one run meet in the same rooms. */
export const ROOMS = ['r0', 'r1', 'r2', 'payment_123', 'a~b:c.d-e']
/** Id of a webhook that does not exist. */
const DELIVERY = `msg_${'a'.repeat(32)}`
const TEXTS = ['a', 'id-1', 'id-2', '7', 'Z.9', 'x y', 'PAID', 'pending', 'failed,expired', 'é€', '日本', '👍🏽', 'm'.repeat(64), 'l'.repeat(300)]
/** Keys of payment events, and other keys besides, each with a valid value. */
const PAYLOADS = [
  {}, { deviceId: 'phone' }, { method: 'pix' }, { fields: ['name', 'email'] }, { amount: 99.9, currency: 'BRL', transactionId: 'tx_1' }, { error: 'declined', code: 'E1' }, { extra: { deep: [1, null, 'é'] } }
]

const nested = (depth: number): unknown => depth === 0 ? 1 : [nested(depth - 1)]
const HARMFUL: readonly unknown[] = [
  null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, -0, '', '1', 'true', 'null', 'x'.repeat(3000), '\0', 'a\r\nb', '\ud800', '\u202e', '\ufeff', '4111111111111111', 4111111111111111, '../../etc/passwd', '{{7*7}}',
  '<script>', "' OR 1=1 --", [], [[]], {}, nested(12), nested(500), Array(300).fill(0), Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`k${i}`, i])),
  JSON.parse('{"__proto__":{"admin":true}}'), { constructor: { prototype: {} } }, { toString: 1, valueOf: null, length: -1 }, { cvv: '123' }, { toJSON: 'x' }
]

/** Texts that are not JSON, or that an API does not expect. */
export const BODIES: readonly Buffer[] = [
  '{', '', ' ', 'null', '[]', '"x"', '5', 'true', '1e999', '{"ttlSeconds":1e999}', '{"__proto__":{"x":1}}', '{"a":1,"a":2}', '{"\\u005f_proto__":1}', '['.repeat(9000), '{"a":'.repeat(2000), '\ufeff{}', '{"a":"\0"}',
  '{}{}', "{'a':1}", '{"a":NaN}', 'x'.repeat(17_000), `{"message":"${'x'.repeat(17_000)}"}`, 'eventType=PAID&message=m', '<?xml version="1.0"?><a/>'
].map((text) => Buffer.from(text)).concat(Buffer.from([0xff, 0xfe, 0x7b, 0]), Buffer.from('{"message":"\xe9"}', 'latin1'), Buffer.from('{}', 'utf16le'), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]))

export const harmful = ({ pick }: Random): unknown => pick(HARMFUL)

export class Values {
  readonly #document: Schema

  constructor (document: object, private readonly random: Random) {
    this.#document = document
  }

  resolve (schema: Schema): Schema {
    return schema.$ref ? schema.$ref.slice(2).split('/').reduce((place: Schema, key: string) => place[key], this.#document) : schema
  }

  /** Makes a valid value. */
  fitting (given: Schema, name = ''): unknown {
    const schema = this.resolve(given)
    const { pick, below, chance } = this.random
    if (schema.anyOf) return this.fitting(pick(schema.anyOf))
    if (schema.enum) return pick(schema.enum)
    if (schema.const !== undefined) return schema.const
    switch (schema.type) {
      case 'string': return name === 'roomId' ? pick(ROOMS) : schema.pattern?.startsWith('^msg_') ? DELIVERY : this.#text(schema)
      case 'integer': {
        const { minimum = 0, maximum = 10_000 } = schema
        return pick([minimum, maximum, minimum + below(Math.min(maximum - minimum, 5) + 1), minimum + below(maximum - minimum + 1)])
      }
      case 'number': return pick([0, 5, 99.9])
      case 'boolean': return chance(0.5)
      case 'array': {
        const { minItems = 0, maxItems = Infinity, items } = schema
        return Array.from({ length: minItems + below(Math.min(maxItems - minItems, 4) + 1) }, () => this.fitting(items))
      }
      case 'object': {
        if (Object.keys(schema.properties ?? {}).length === 0) return pick(PAYLOADS)
        const keys = Object.keys(schema.properties).filter((key) => schema.required?.includes(key) || chance(0.5))
        if (keys.length < (schema.minProperties ?? 0)) keys.push('description')
        const made = Object.fromEntries(keys.map((key) => [key, this.fitting(schema.properties[key], key)]))
        // A rule between two keys, which the document cannot express.
        if (made.amount !== undefined && schema.properties.currency) made.currency = 'BRL'
        return made
      }
      default: throw new Error(`no values for ${JSON.stringify(schema)}`)
    }
  }

  #text ({ minLength = 0, maxLength = Infinity, pattern = '', examples = [] }: Schema): string {
    const rule = new RegExp(pattern, 'u')
    const fits = (text: string) => [...text].length >= minLength && text.length <= maxLength && rule.test(text)
    // A text of exactly this length tests the bound.
    const bounds = [minLength, maxLength].filter((length) => length > 0 && length < 5000).map((length) => '7'.repeat(length))
    return this.random.pick([...examples, ...examples, ...TEXTS, ...bounds].filter(fits))
  }

  /** Makes a value that is invalid in one place. */
  near (schema: Schema): unknown {
    const { pick, chance } = this.random
    const value = this.fitting(schema)
    if (typeof value !== 'object' || value === null || chance(0.1)) return harmful(this.random)
    const { properties = {}, required = [] } = this.resolve(schema)
    const key = pick([...Object.keys(properties), 'another'])
    const rest = Object.fromEntries(Object.entries(value).filter(([name]) => name !== key))
    if (required.includes(key) && chance(0.3)) return rest
    return { ...rest, [key]: chance(0.4) ? this.#beyond(properties[key]) : harmful(this.random) }
  }

  /** Makes a value just past a bound of the schema, where it has one. */
  #beyond (schema: Schema = {}): unknown {
    const { minimum, maximum, maxLength, enum: choices } = this.resolve(schema)
    const past: unknown[] = [...(minimum === undefined ? [] : [minimum - 1, minimum + 0.5]), ...(maximum === undefined ? [] : [maximum + 1]), ...(maxLength === undefined ? [] : ['7'.repeat(maxLength + 1)])]
    return this.random.pick([...past, ...(choices ? [`${choices[0]} `, choices[0].toLowerCase()] : []), ''])
  }
}
