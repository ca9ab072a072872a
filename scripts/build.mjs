// Compiles src, plugins and routes into dist. With --if-stale it compiles only if a source is newer than the last build, so that `npm start` works on a
// fresh clone and costs nothing afterwards. Plain JavaScript, since it runs before anything is compiled.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { isNewest } from './freshness.mjs'

const root = join(import.meta.dirname, '..')
const stamp = join(root, 'dist', '.built')
const lua = join('src', 'broker', 'redis', 'lua')
const sources = ['src', 'plugins', 'routes', 'packages/client/src', 'scripts/client.mjs', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']

if (process.argv.includes('--if-stale') && isFresh()) process.exit(0)

console.log('compiling…')
// Delete dist first: autoload would still find the output of a deleted source there.
rmSync(join(root, 'dist'), { recursive: true, force: true })
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
// tsc copies no other files.
cpSync(join(root, lua), join(root, 'dist', lua), { recursive: true })
await compileSchemas()
await writePageScripts()
// tsc does not make the package's command executable.
chmodSync(join(root, 'dist', 'src', 'cli', 'index.js'), 0o755)
writeFileSync(stamp, '')

/** Writes the scripts that the server serves to pages. */
async function writePageScripts () {
  const { pageScripts } = await import('./client.mjs')
  mkdirSync(join(root, 'dist', 'page-scripts'))
  for (const [name, text] of await pageScripts()) writeFileSync(join(root, 'dist', 'page-scripts', name), text)
}

/** Writes the validators of all routes, so that a start does not compile them. */
async function compileSchemas () {
  const { buildApp, createLogger, loadConfig } = await import(join(root, 'dist', 'src', 'index.js'))
  const { validatorModule } = await import(join(root, 'dist', 'src', 'http', 'request-validators.js'))
  const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent' })
  const app = buildApp({ config, logger: createLogger(config) })
  const parts = []
  app.addHook('onRoute', ({ schema = {} }) => {
    for (const httpPart of ['body', 'querystring', 'params', 'headers']) if (schema[httpPart]) parts.push({ schema: schema[httpPart], httpPart })
  })
  await app.ready()
  mkdirSync(join(root, 'dist', 'compiled'))
  writeFileSync(join(root, 'dist', 'compiled', 'request-validators.cjs'), validatorModule(app.getSchemas(), parts))
  await app.close()
}

function isFresh () {
  // A container image ships dist without its sources: nothing can be newer.
  if (!existsSync(join(root, 'src'))) return true
  return isNewest(stamp, sources.map((source) => join(root, source)))
}
