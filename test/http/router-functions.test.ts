// Functions made from text: those that the build writes are those that the router asks for.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { functionsModule, provideRouterFunctions } from '../../src/http/router-functions.js'

t.test('the functions that are made meanwhile are written, each once, and work as those made from text', async (t) => {
  const original = globalThis.Function
  const text = await functionsModule(async () => {
    t.ok((() => {}) instanceof Function)
    t.equal(Reflect.construct(Function, ['a', 'b', 'return a + b'])(1, 2), 3)
    t.equal(Reflect.apply(Function, undefined, ['a', 'b', 'return a + b'])(3, 4), 7)
    t.equal(Reflect.construct(Function, ['return this.name']).call({ name: 'own' }), 'own')
    t.equal(Reflect.construct(Function, [])(), undefined)
  })
  t.equal(globalThis.Function, original)
  const file = join(t.testdir({}), 'functions.cjs')
  writeFileSync(file, text)
  const functions = Object.values(createRequire(import.meta.url)(file) as Record<string, (...args: unknown[]) => unknown>)
  t.strictSame(functions.map((made) => made.call({ name: 'own' }, 5, 6)), [11, 'own', undefined])
})

t.test('the constructor is restored if the work fails', async (t) => {
  const original = globalThis.Function
  await t.rejects(functionsModule(() => Promise.reject(new Error('no routes'))), /no routes/)
  t.equal(globalThis.Function, original)
})

t.test('a process that may make functions from text keeps its own constructor', async (t) => {
  const original = globalThis.Function
  provideRouterFunctions()
  t.equal(globalThis.Function, original)
})

t.test('where no text becomes code, a text of the build gets its function, and any other throws', async (t) => {
  const file = join(t.testdir({}), 'functions.cjs')
  writeFileSync(file, await functionsModule(async () => { Reflect.construct(Function, ['a', 'b', 'return a + b']) }))
  const original = globalThis.Function
  // Refuses as V8 does with --disallow-code-generation-from-strings.
  globalThis.Function = new Proxy(original, { construct: () => { throw new EvalError('Code generation from strings disallowed for this context') } })
  t.teardown(() => { globalThis.Function = original })
  provideRouterFunctions(file)
  t.equal(Reflect.construct(Function, ['a', 'b', 'return a + b'])(1, 2), 3)
  t.throws(() => Reflect.construct(Function, ['a', 'b', 'return a - b']), EvalError)
})
