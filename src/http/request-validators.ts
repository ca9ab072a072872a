// Validators of requests: strict for bodies. A build compiles them ahead, since Ajv takes a third of a start; without a build, as in tests, it compiles them here.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { BuildCompilerFromPool } from '@fastify/ajv-compiler'
import type { TSchema } from '@sinclair/typebox'
import type { Ajv, Options, ValidateFunction } from 'ajv'

/** Kind of a part of a request: bodies are JSON; queries, parameters and headers are text. */
type Kind = 'body' | 'text'

/** Part of a request, and its schema. */
export interface RequestPart { readonly schema: TSchema, readonly httpPart?: string | undefined }

/** Validators by their names, see {@link RequestValidators.nameOf}. */
export type CompiledValidators = Readonly<Record<string, ValidateFunction>>

type Components = Readonly<Record<string, TSchema>>

/** Bodies are validated strictly: no coercion, no removed keys, all broken rules reported. All else is text, with the options of Fastify: it is coerced. */
const OPTIONS: Readonly<Record<Kind, Options>> = {
  body: { coerceTypes: false, useDefaults: true, removeAdditional: false, addUsedSchema: false, allErrors: true, verbose: true },
  text: { coerceTypes: 'array', useDefaults: true, removeAdditional: true, addUsedSchema: false, allErrors: false }
}

const kindOf = ({ httpPart }: RequestPart): Kind => httpPart === 'body' ? 'body' : 'text'
const digest = (text: string) => createHash('sha256').update(text).digest('hex')
const load = createRequire(import.meta.url)

const newPool = () => (load('@fastify/ajv-compiler') as () => BuildCompilerFromPool)()

/** Compilers by components and options. Their setup takes tens of milliseconds, so that all contexts and applications of a process share it. */
let pool: BuildCompilerFromPool | undefined

/** Validators for the parts of requests. */
export class RequestValidators {
  readonly #components: Components
  readonly #compiled: CompiledValidators
  /** Part of each name that stands for the components: a validator is right for these alone. */
  readonly #version: string

  /**
   * @param components schemas that a `$ref` may name
   * @param compiled validators of a build; a part that is not among them is compiled by Fastify's compiler, which is loaded then
   */
  constructor (components: Components, compiled: CompiledValidators = {}) {
    this.#components = components
    this.#compiled = compiled
    this.#version = digest(JSON.stringify(components))
  }

  /** @throws {Error} for an invalid schema */
  of (part: RequestPart): ValidateFunction { return this.#compiled[this.nameOf(part)] ?? this.#compile(part) }

  /** Name of a compiled validator, an identifier. */
  nameOf (part: RequestPart): string { return `${kindOf(part)}_${digest(this.#version + JSON.stringify(part.schema))}` }

  #compile (part: RequestPart): ValidateFunction {
    pool ??= newPool()
    return pool(this.#components, { customOptions: OPTIONS[kindOf(part)] })(part as never) as ValidateFunction
  }
}

/** @returns the source of a CommonJS module that exports {@link CompiledValidators} for these parts */
export function validatorModule (components: Components, parts: readonly RequestPart[]): string {
  const { AjvReference } = load('@fastify/ajv-compiler') as { readonly AjvReference: symbol }
  const { default: standaloneCode } = load('ajv/dist/standalone') as { default: (ajv: Ajv, names: Record<string, string>) => string }
  const validators = new RequestValidators(components)
  const scopes = (['body', 'text'] as const).map((kind) => {
    const schemas = new Map(parts.filter((part) => kindOf(part) === kind).map((part) => [validators.nameOf(part), part.schema]))
    const { ajv } = (newPool()(components, { customOptions: { ...OPTIONS[kind], code: { source: true } } }) as unknown as Record<symbol, { readonly ajv: Ajv }>)[AjvReference]!
    for (const [name, schema] of schemas) ajv.addSchema(schema, name)
    // A function around each, since both declare the same names.
    return `(function (exports) {${standaloneCode(ajv, Object.fromEntries([...schemas.keys()].map((name) => [name, name])))}\n})(exports);`
  })
  // In ASCII: V8 keeps a text with any other character in twice the memory.
  return `// Written by scripts/build.mjs.\n${scopes.join('\n')}\n`.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
