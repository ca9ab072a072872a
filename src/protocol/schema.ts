// TypeBox building blocks that keep the published contracts readable: named references and string enums.
import { Kind, Type, TypeRegistry, type SchemaOptions, type Static, type TNull, type TSchema, type TUnion, type TUnsafe } from '@sinclair/typebox'

/**
 * A `$ref` to a schema that has an `$id`, typed as that schema. Fastify resolves it; OpenAPI shows it as a named component.
 * @param description replaces the schema's own description at this place, e.g. in one response of a route
 */
export function Ref<T extends TSchema & { $id?: string }> (schema: T, description?: string): TUnsafe<Static<T>> {
  if (!schema.$id) throw new Error('Ref needs a schema with an $id')
  return Type.Unsafe<Static<T>>(Type.Ref(schema.$id, description === undefined ? {} : { description }))
}

/** Marks a query key with a default as optional for the client, but present in the handler's type: validation fills in the default. */
export function WithDefault<T extends TSchema> (schema: T): T {
  return Type.Optional(schema) as TSchema as T
}

// TypeBox's compiler needs a registered check for a custom kind.
TypeRegistry.Set<{ enum: readonly string[] }>('StringEnum', (schema, value) => (schema.enum as readonly unknown[]).includes(value))

/** A string enum as `{ type: 'string', enum: [...] }`; a union of literals would be published as an `anyOf` of one-value enums. */
export function StringEnum<const T extends readonly string[]> (values: T, options: object = {}): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ [Kind]: 'StringEnum', type: 'string', enum: [...values], ...options })
}

/**
 * A value or null, as `anyOf: [schema, { type: 'null' }]`. Other forms, above all `type: [...]` with an enum that holds null, lose the null in some generators.
 */
export function Nullable<T extends TSchema> (schema: T, options: SchemaOptions = {}): TUnion<[T, TNull]> {
  return Type.Union([schema, Type.Null()], options)
}
