// Package as a dependent program loads it: by its name, from the build.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { ROOT } from '../src/root.js'
import { plainNode } from './plain-node.js'

const NAMES = ['ConfigError', 'Failure', 'buildApp', 'createLogger', 'loadConfig', 'paymentRooms', 'serverOptions']

/** Runs a module in the folder of the project, where Node.js resolves the name of the package to the project itself. */
function run (source: string): unknown {
  const [command, args] = plainNode('--input-type=module', '--eval', source)
  return JSON.parse(execFileSync(command, args, { cwd: ROOT, encoding: 'utf8' }))
}

t.test('the root exports exactly the listed names', async (t) => {
  t.strictSame(run('import * as root from \'ws-payment-server\'; console.log(JSON.stringify(Object.keys(root)))'), NAMES)
})

t.test('the built plugin runs on a Fastify server of its user', async (t) => {
  t.match(run(`
    import Fastify from 'fastify'
    import { paymentRooms, serverOptions } from 'ws-payment-server'
    const app = Fastify(serverOptions())
    app.get('/own', async () => 'own')
    app.register(paymentRooms, { prefix: '/payments', apiKeys: ['k'] })
    const answers = []
    for (const url of ['/own', '/payments/health', '/payments/api/rooms']) answers.push((await app.inject(url)).statusCode)
    await app.close()
    console.log(JSON.stringify(answers))
  `), [200, 200, 401])
})

/** Declaration files that a program loads with a file. */
function declarationsFrom (file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found
  found.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*["'](\.[^"']+)\.js["']/g)) declarationsFrom(join(dirname(file), `${name}.d.ts`), found)
  return found
}

t.test('the types of the package do not extend the types of Fastify', async (t) => {
  const root = join(ROOT, 'dist', 'src', 'index.d.ts')
  t.ok(existsSync(root))
  const files = declarationsFrom(root)
  t.ok(files.size > 10, `${files.size} files`)
  for (const file of files) t.notMatch(readFileSync(file, 'utf8'), 'declare module', file)
})

t.test('the types of the client resolve under every module resolution, and its source maps carry their sources', async (t) => {
  const folder = t.testdir({ node_modules: { 'ws-payment-server': t.fixture('symlink', ROOT) } })
  for (const [name, options] of Object.entries({
    node10: { moduleResolution: ts.ModuleResolutionKind.Node10 },
    node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
    nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
  })) {
    for (const entry of ['ws-payment-server', 'ws-payment-server/client']) {
      const { resolvedModule } = ts.resolveModuleName(entry, join(folder, 'program.mts'), options, ts.sys, undefined, undefined, ts.ModuleKind.ESNext)
      t.equal(resolvedModule?.resolvedFileName, join(ROOT, 'dist', 'src', ...(entry.endsWith('client') ? ['client'] : []), 'index.d.ts'), `${name}: ${entry}`)
    }
  }
  const map = JSON.parse(readFileSync(join(ROOT, 'dist', 'src', 'client', 'room.js.map'), 'utf8')) as { sourcesContent?: string[] }
  t.match(map.sourcesContent, [/^\/\/ One device in one room/])
})
