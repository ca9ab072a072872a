// Layers of the source: a file imports only from its own layer and the inner ones, and few layers know Fastify.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { ROOT } from '../src/root.js'

// Layers from the innermost to the outermost. Errors come first, since decoding a frame can answer with an error.
const LAYERS = [
  /^src\/(errors|maybe-promise|clock|comma-list|random-id)\.ts$/,
  /^src\/websocket\//,
  /^src\/protocol\//,
  /^src\/metrics\//,
  /^src\/payment\//,
  /^src\/auth\//,
  /^src\/broker\//,
  /^src\/rooms\//,
  /^src\/changes\//,
  /^src\/funnel\//,
  /^src\/webhooks\//,
  /^src\/sessions\//,
  /^src\/nodes\//,
  /^src\/client\//,
  /^src\/(config|options|data-folder|log-fields|logger|optimizer|root|setting-values|young-generation)\.ts$/,
  /^src\/providers\//,
  /^src\/http\//,
  /^src\/contracts\//,
  /^plugins\//,
  /^routes\//,
  /^src\/payment-rooms\.ts$/,
  /^src\/app\.ts$/,
  /^src\/index\.ts$/,
  /^src\/server\.ts$/,
  /^src\/cli\//
]
const layerOf = (file: string) => LAYERS.findIndex((layer) => layer.test(file))

const files = ['src', 'plugins', 'routes'].flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts')).map((name) => join(folder, name)))

/** Modules that a file names in an import or a re-export. */
function importsOf (file: string): string[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  return [...source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name!)
}

t.test('every source file belongs to a layer', async (t) => {
  t.ok(files.length > 20)
  for (const file of files) t.ok(layerOf(file) >= 0, file)
})

t.test('no file imports from an outer layer', async (t) => {
  let checked = 0
  for (const file of files) {
    for (const name of importsOf(file).filter((name) => name.startsWith('.'))) {
      const target = relative(ROOT, join(ROOT, dirname(file), name)).replace(/\.js$/, '.ts')
      t.ok(files.includes(target), `${file} imports ${target}, which exists`)
      t.ok(layerOf(target) <= layerOf(file), `${file} may import ${target}`)
      checked++
    }
  }
  t.ok(checked > 50)
})

t.test('only the app, the plugin, the process, HTTP, plugins and routes import Fastify', async (t) => {
  for (const file of files.filter((file) => !/^(plugins|routes|src\/http)\/|^src\/(app|index|payment-rooms|server)\.ts$/.test(file))) {
    for (const name of importsOf(file)) t.notMatch(name, /fastify/, `${file} imports ${name}`)
  }
})

t.test('a command of the command line imports no part of the server but the journal, which it reads', async (t) => {
  for (const file of files.filter((file) => file.startsWith('src/cli/') && !file.endsWith('/index.ts'))) {
    for (const name of importsOf(file)) t.notMatch(name, /\/(server|app|plugins|routes|rooms|broker(?!\/journal\/))\b/, `${file} imports ${name}`)
  }
})

t.test('a plugin is named after its file', async (t) => {
  for (const file of files.filter((file) => file.startsWith('plugins/'))) {
    t.match(readFileSync(join(ROOT, file), 'utf8'), `}, { name: '${file.slice('plugins/'.length, -'.ts'.length)}'`)
  }
})

t.test('the client can run in a browser: it imports types from the protocol, and code only from itself', async (t) => {
  const clientFiles = files.filter((file) => file.startsWith('src/client/'))
  t.ok(clientFiles.length > 0)
  for (const file of clientFiles) {
    const source = readFileSync(join(ROOT, file), 'utf8')
    for (const [statement, name] of source.matchAll(/^(?:import|export)\b[^'\n]*\bfrom '([^']+)'/gm)) {
      if (name!.startsWith('./')) continue
      t.match(name, /^\.\.\/protocol\//, `${file} imports ${name}`)
      t.match(statement, /^(?:import|export) type /, `${file} takes only types from ${name}`)
    }
  }
  for (const file of files.filter((file) => !/^src\/(client|cli)\//.test(file))) {
    for (const name of importsOf(file)) t.notMatch(name, /\/client\//, `${file} belongs to the server and imports no client`)
  }
})

t.test('the wall clock is read in three places', async (t) => {
  const readers = files.filter((file) => /\bDate\.now\b|\bnew Date\(\)|\bDate\(\)/.test(readFileSync(join(ROOT, file), 'utf8')))
  // Places: server and command line; client, for the time of its own events; log lines.
  t.strictSame(readers.sort(), ['src/client/environment.ts', 'src/clock.ts', 'src/logger.ts'])
})
