// Imports point one way: each room of the house knows only the ones above it, and Fastify stays at the door.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { ROOT } from '../src/root.js'

// From the innermost to the outermost. Errors stand first, since decoding a frame already answers with one of them.
const LAYERS = [
  /^src\/(errors|maybe-promise|clock|comma-list|random-id)\.ts$/,
  /^src\/websocket\//,
  /^src\/protocol\//,
  /^src\/metrics\//,
  /^src\/payment\//,
  /^src\/auth\//,
  /^src\/broker\//,
  /^src\/rooms\//,
  /^src\/sessions\//,
  /^src\/client\//,
  /^src\/(config|options|log-fields|logger|root)\.ts$/,
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

/** Every module that a file names in an import or a re-export. */
function importsOf (file: string): string[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  return [...source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name!)
}

t.test('every source file has its place', async (t) => {
  t.ok(files.length > 20)
  for (const file of files) t.ok(layerOf(file) >= 0, file)
})

t.test('no file imports what stands below it', async (t) => {
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

t.test('only the app, the plugin, the process, HTTP, plugins and routes know Fastify', async (t) => {
  for (const file of files.filter((file) => !/^(plugins|routes|src\/http)\/|^src\/(app|index|payment-rooms|server)\.ts$/.test(file))) {
    for (const name of importsOf(file)) t.notMatch(name, /fastify/, `${file} imports ${name}`)
  }
})

t.test('a command of the command line stands alone: it starts the server, or talks to one, and is no part of it', async (t) => {
  for (const file of files.filter((file) => file.startsWith('src/cli/') && !file.endsWith('/index.ts'))) {
    for (const name of importsOf(file)) t.notMatch(name, /\/(server|app|plugins|routes|rooms|broker)\b/, `${file} imports ${name}`)
  }
})

t.test('a plugin is named after its file', async (t) => {
  for (const file of files.filter((file) => file.startsWith('plugins/'))) {
    t.match(readFileSync(join(ROOT, file), 'utf8'), `}, { name: '${file.slice('plugins/'.length, -'.ts'.length)}'`)
  }
})

t.test('the client runs in a browser: it takes types from the protocol, and code from itself alone', async (t) => {
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
    for (const name of importsOf(file)) t.notMatch(name, /\/client\//, `${file} is the server's`)
  }
})

t.test('the wall clock is read in three places', async (t) => {
  const readers = files.filter((file) => /\bDate\.now\b|\bnew Date\(\)|\bDate\(\)/.test(readFileSync(join(ROOT, file), 'utf8')))
  // The server's and the command line's; the client's, for the time of its own events; and that of log lines.
  t.strictSame(readers.sort(), ['src/client/environment.ts', 'src/clock.ts', 'src/logger.ts'])
})
