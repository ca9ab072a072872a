// Functions that Fastify's router makes from text, some for each route. Where Node.js makes none (--disallow-code-generation-from-strings), those of the build serve.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

type AnyFunction = (...args: unknown[]) => unknown

/** Arguments of the constructor Function: names of parameters, and a body. */
type FunctionText = readonly string[]

/** Functions of a build by the names of their texts, see {@link nameOf}. */
type KnownFunctions = Readonly<Record<string, AnyFunction>>

/** Functions that scripts/build.mjs has written; missing where sources run. */
const COMPILED = join(import.meta.dirname, '..', '..', 'compiled', 'router-functions.cjs')

const nameOf = (text: FunctionText) => `function_${createHash('sha256').update(JSON.stringify(text)).digest('hex')}`

/**
 * Lets `new Function(…)` return the functions of the build in a process that compiles no text, from now on; in any other process it does nothing. No text becomes
 * code: a text that the build has not seen throws an EvalError, as before. The router has no option for it (delvedor/find-my-way#411).
 * @param file module of {@link functionsModule}
 */
export function provideRouterFunctions (file = COMPILED): void {
  if (canCompile() || !existsSync(file)) return
  const known = createRequire(import.meta.url)(file) as KnownFunctions
  interceptFunction((text, compile) => known[nameOf(text)] ?? compile())
}

/**
 * Records the functions that are made from text while the work runs.
 * @returns the source of a CommonJS module that exports {@link KnownFunctions}
 */
export async function functionsModule (work: () => Promise<void>): Promise<string> {
  const texts = new Map<string, FunctionText>()
  const restore = interceptFunction((text, compile) => {
    texts.set(nameOf(text), text)
    return compile()
  })
  try {
    await work()
  } finally {
    restore()
  }
  const functions = [...texts].map(([name, text]) => `exports.${name} = function (${text.slice(0, -1).join(', ')}) {\n${text.at(-1) ?? ''}\n}`)
  return `// Written by scripts/build.mjs.\n${functions.join('\n')}\n`
}

/** Puts a function before the constructor Function. @returns the function that takes it away */
function interceptFunction (functionOf: (text: FunctionText, compile: () => AnyFunction) => AnyFunction): () => void {
  const original = globalThis.Function
  const make = (_target: unknown, args: readonly unknown[]) => functionOf(args.map(String), () => Reflect.construct(original, args) as AnyFunction)
  globalThis.Function = new Proxy<FunctionConstructor>(original, { construct: make, apply: (target, _this, args: unknown[]) => make(target, args) })
  return () => { globalThis.Function = original }
}

function canCompile (): boolean {
  try {
    Reflect.construct(Function, [''])
    return true
  } catch {
    return false
  }
}
