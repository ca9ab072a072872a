// Values of settings: turns texts into the types of their schemas, and checks the rules of these schemas. A start does without a general validator, which takes longer.
import type { TSchema } from '@sinclair/typebox'

/** Decimal digits only: a number of JavaScript may also read `Infinity`, `1e9` and `0x1F90`. */
const INTEGER = /^-?\d{1,15}$/

export interface SettingValues {
  /** Typed values and defaults, by name. */
  readonly values: Readonly<Record<string, unknown>>
  /** Broken rules: the name, then the rule in the words of Ajv, never the value. */
  readonly problems: readonly string[]
}

/**
 * Reads settings by their schemas.
 * @param schemas schemas of integers, booleans and strings; the rules are `minimum`, `maximum`, `minLength`, `pattern` and `enum`
 * @param texts texts by name; a setting without a text has its default, if it has one
 */
export function readValues (schemas: Readonly<Record<string, TSchema>>, texts: NodeJS.ProcessEnv): SettingValues {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, schema] of Object.entries(schemas)) {
    const text = texts[name]
    const value: unknown = text === undefined ? schema.default : valueOf(schema, text)
    if (value !== undefined) values[name] = value
    const rule = text === undefined ? undefined : brokenRule(schema, value)
    if (rule !== undefined) problems.push(`${name} must ${rule}`)
  }
  return { values, problems }
}

/** @returns the value, or the text itself if it is none of the schema's type */
function valueOf ({ type }: TSchema, text: string): string | number | boolean {
  if (type === 'integer' && INTEGER.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

/** @returns the first rule that the value breaks, after "must"; undefined if there is none */
function brokenRule (schema: TSchema, value: unknown): string | undefined {
  const { type, minimum, maximum, minLength, pattern, enum: allowed } = schema as TSchema & {
    readonly minimum?: number, readonly maximum?: number, readonly minLength?: number, readonly pattern?: string, readonly enum?: readonly string[]
  }
  if (typeof value === 'number') {
    if (value < (minimum ?? -Infinity)) return `be >= ${minimum}`
    return value > (maximum ?? Infinity) ? `be <= ${maximum}` : undefined
  }
  if (type !== 'string') return typeof value === 'boolean' ? undefined : `be ${type}`
  const text = value as string
  if ([...text].length < (minLength ?? 0)) return `NOT have fewer than ${minLength} characters`
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) return `match pattern "${pattern}"`
  return allowed === undefined || allowed.includes(text) ? undefined : `be equal to one of the allowed values: ${allowed.join(', ')}`
}
