// Texts of JSON responses: what the schema of a response declares, and nothing else, so that a value with more keys does not publish them.
import { createRequire } from 'node:module'
import type { SerializerFactory } from '@fastify/fast-json-stringify-compiler'
import type { TSchema } from '@sinclair/typebox'

/** Writes a response. */
type Serializer = (value: unknown) => string

/** Copies the declared part of a value. */
type Projection = (value: unknown) => unknown

type Components = Readonly<Record<string, TSchema>>

/** Keywords that are followed. The first line selects keys; the others restrict values, which the types of the routes have checked. */
const KEYWORDS: ReadonlySet<string> = new Set([
  '$ref', 'type', 'properties', 'required', 'additionalProperties', 'patternProperties', 'items', 'anyOf',
  '$id', 'title', 'description', 'examples', 'default', 'const', 'enum', 'pattern', 'minimum', 'maximum', 'minLength', 'maxLength', 'minProperties'
])
/** Pattern of the keys of a record in TypeBox. */
const ANY_KEY = '^(.*)$'
const PLAIN: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null'])

const load = createRequire(import.meta.url)
const asItIs: Projection = (value) => value

/**
 * Functions that write responses, by their schemas. They follow all schemas of the payment rooms; Fastify's own compiler, which takes a sixth of a start, is loaded
 * for those of other routes that have further keywords.
 */
export class ResponseTexts {
  readonly #components: Components
  readonly #projections = new Map<string, Projection>()
  #compile: ReturnType<SerializerFactory> | undefined

  /** @param components schemas that a `$ref` may name, by `$id` */
  constructor (components: Components) { this.#components = components }

  of (schema: TSchema): Serializer {
    if (!isFollowed(schema, this.#components)) return this.#compilerOfOthers()({ schema })
    const project = this.#projectionOf(schema)
    return (value) => JSON.stringify(project(value))
  }

  #compilerOfOthers (): (part: { readonly schema: TSchema }) => Serializer {
    this.#compile ??= (load('@fastify/fast-json-stringify-compiler') as () => SerializerFactory)()(this.#components, {})
    return this.#compile as (part: { readonly schema: TSchema }) => Serializer
  }

  #projectionOf (schema: TSchema): Projection {
    if (schema.$ref !== undefined) return this.#referenced(schema.$ref as string)
    if (schema.type === 'object') return this.#objects(schema)
    if (schema.type !== 'array') return asItIs
    const item = this.#projectionOf(schema.items as TSchema)
    return (value) => (value as unknown[]).map(item)
  }

  #referenced (name: string): Projection {
    const known = this.#projections.get(name)
    if (known) return known
    const projection = this.#projectionOf(this.#components[name]!)
    this.#projections.set(name, projection)
    return projection
  }

  #objects (schema: TSchema): Projection {
    const properties = Object.entries((schema.properties ?? {}) as Record<string, TSchema>)
    const required = new Set((schema.required ?? []) as string[])
    const declared = properties.map(([key, property]) => ({ key, project: this.#projectionOf(property), isRequired: required.has(key) }))
    const names = new Set(declared.map(({ key }) => key))
    const further = furtherKeysOf(schema)
    const projectFurther = typeof further === 'object' ? this.#projectionOf(further) : asItIs
    return (value) => {
      const from = value as Record<string, unknown>
      const to: Record<string, unknown> = {}
      for (const { key, project, isRequired } of declared) {
        if (from[key] !== undefined) to[key] = project(from[key])
        else if (isRequired) throw new Error(`the response lacks ${key}`)
      }
      if (further !== false) for (const key of Object.keys(from)) if (!names.has(key)) setOwn(to, key, projectFurther(from[key]))
      return to
    }
  }
}

/** @returns the schema of keys that an object's schema does not name; true: any value; false: there are none */
function furtherKeysOf ({ additionalProperties = false, patternProperties }: TSchema): TSchema | boolean {
  return (patternProperties as Record<string, TSchema> | undefined)?.[ANY_KEY] ?? additionalProperties as TSchema | boolean
}

/** @returns true if every keyword is known, and no choice between schemas is needed */
function isFollowed (schema: TSchema, components: Components): boolean {
  if (!Object.keys(schema).every((key) => KEYWORDS.has(key))) return false
  const { $ref, type, anyOf, items, properties = {}, patternProperties = {} } = schema
  if ($ref !== undefined) return Object.hasOwn(components, $ref as string) && isFollowed(components[$ref as string]!, components)
  if (anyOf !== undefined) return (anyOf as TSchema[]).every(({ type }) => PLAIN.has(type))
  if (type === 'array') return items !== undefined && isFollowed(items as TSchema, components)
  if (type !== 'object') return type === undefined || PLAIN.has(type)
  const further = furtherKeysOf(schema)
  return Object.keys(patternProperties as object).every((pattern) => pattern === ANY_KEY) &&
    (typeof further === 'boolean' || isFollowed(further, components)) &&
    Object.values(properties as Record<string, TSchema>).every((property) => isFollowed(property, components))
}

/** Sets a property of any name: an assignment to `__proto__` would set none. */
function setOwn (object: object, key: string, value: unknown): void { Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true }) }
