// Checks of values against schemas. A build writes them as functions, so that a start compiles none and needs no compiler; sources, as in tests, compile them here.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Kind, OptionalKind, Type, type Static, type TSchema } from '@sinclair/typebox'
import type { TypeCompiler } from '@sinclair/typebox/compiler'

/** Is true for the values of a schema. */
export type Check<T extends TSchema> = (value: unknown) => value is Static<T>

/** Checks of a build by the names of their schemas, see {@link nameOf}. */
type CompiledChecks = Readonly<Record<string, Check<TSchema>>>

interface Compiler { readonly TypeCompiler: typeof TypeCompiler }

/** Checks that scripts/build.mjs has written; missing where sources run. */
const COMPILED = join(import.meta.dirname, '..', '..', 'compiled', 'checks.cjs')

const load = createRequire(import.meta.url)
const compiled: CompiledChecks = existsSync(COMPILED) ? load(COMPILED) as CompiledChecks : {}
/** Schemas with a check, by name. As many as the code has: modules ask for their checks as they load. */
const schemas = new Map<string, TSchema>()

/**
 * @param checks checks that were compiled ahead, by default those of the build
 * @returns the check of this schema, which holds no `$ref`: one that was compiled ahead, or one that is compiled now
 */
export function checkOf<T extends TSchema> (schema: T, checks: CompiledChecks = compiled): Check<T> {
  const name = nameOf(schema)
  schemas.set(name, schema)
  const check = checks[name]
  if (check) return check as Check<T>
  const { TypeCompiler } = load('@sinclair/typebox/compiler') as Compiler
  const compiledNow = TypeCompiler.Compile(withoutOwnKinds(schema) as T)
  return (value): value is Static<T> => compiledNow.Check(value)
}

/** @returns the source of a CommonJS module with the checks of all schemas that were asked for */
export function checksModule (): string {
  const { TypeCompiler } = load('@sinclair/typebox/compiler') as Compiler
  const checks = [...schemas].map(([name, schema]) => `exports.${name} = (() => {\n${TypeCompiler.Code(withoutOwnKinds(schema) as TSchema)}\n})()`)
  return `// Written by scripts/build.mjs.\n'use strict'\n${checks.join('\n')}\n`
}

/** Name of the check of a schema, an identifier: one of another schema has another name. */
function nameOf (schema: TSchema): string {
  // The kinds of TypeBox are symbols, which JSON leaves out.
  const text = JSON.stringify(schema, (_key, value: unknown) => isSchema(value) ? { ...value, [KIND]: [value[Kind], value[OptionalKind]] } : value)
  return `check_${createHash('sha256').update(text).digest('hex')}`
}

/** Key of the kinds in the text that names a schema: no keyword of JSON Schema. */
const KIND = '\u0000kind'

/** Replaces string enums, which are a kind of ours, by the union of their values: a function of TypeBox's compiler for them would ask a registry at run time. */
function withoutOwnKinds (schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutOwnKinds)
  if (typeof schema !== 'object' || schema === null) return schema
  if (isSchema(schema) && schema[Kind] === 'StringEnum') {
    const values = Type.Union((schema.enum as string[]).map((value) => Type.Literal(value)))
    return OptionalKind in schema ? Type.Optional(values) : values
  }
  const entries = Reflect.ownKeys(schema).map((key) => [key, withoutOwnKinds((schema as Record<string | symbol, unknown>)[key])] as const)
  return Object.fromEntries(entries)
}

function isSchema (value: unknown): value is TSchema { return typeof value === 'object' && value !== null && Kind in value }
