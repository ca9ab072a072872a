// Compiles src, plugins and routes into dist. With --if-stale it compiles only if a source is newer than the last build, so that `npm start` works on a
// fresh clone and costs nothing afterwards. Plain JavaScript, since it runs before anything is compiled.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { isNewest } from './freshness.mjs'

const root = join(import.meta.dirname, '..')
const stamp = join(root, 'dist', '.built')
const compiled = join(root, 'dist', 'compiled')
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
await compileRouterFunctions()
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

/** Writes the validators of all routes and the checks of all messages, so that a start does not compile them. */
async function compileSchemas () {
  const { validatorModule } = await import(join(root, 'dist', 'src', 'http', 'request-validators.js'))
  const { checksModule } = await import(join(root, 'dist', 'src', 'protocol', 'compiled-checks.js'))
  const parts = []
  const app = await newApp({}, ({ schema = {} }) => {
    for (const httpPart of ['body', 'querystring', 'params', 'headers']) if (schema[httpPart]) parts.push({ schema: schema[httpPart], httpPart })
  })
  for (const file of filesWithChecks()) await import(file)
  mkdirSync(compiled)
  writeFileSync(join(compiled, 'request-validators.cjs'), validatorModule(app.getSchemas(), parts))
  writeFileSync(join(compiled, 'checks.cjs'), checksModule())
  await app.close()
}

/** Returns the modules that ask for checks as they load. Some load only with certain settings. */
function filesWithChecks () {
  const folder = join(root, 'dist', 'src')
  return readdirSync(folder, { recursive: true }).map((name) => join(folder, name)).filter((file) => file.endsWith('.js') && readFileSync(file, 'utf8').includes("/compiled-checks.js'"))
}

/** Writes the functions that the router makes from text, for processes that must not. Comes after the schemas, whose compilers make functions as well. */
async function compileRouterFunctions () {
  const { functionsModule } = await import(join(root, 'dist', 'src', 'http', 'router-functions.js'))
  const text = await functionsModule(async () => {
    for (const settings of choicesOfPages()) {
      const app = await newApp(settings)
      // Swagger UI has routes of its own, which are added when it is first asked for.
      if (settings.DOCS === 'true') await app.inject('/docs')
      await app.close()
    }
  })
  writeFileSync(join(compiled, 'router-functions.cjs'), text)
}

async function newApp (settings, onRoute = () => {}) {
  const { buildApp, createLogger, loadConfig } = await import(join(root, 'dist', 'src', 'index.js'))
  const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent', ...settings })
  const app = buildApp({ config, logger: createLogger(config) })
  app.addHook('onRoute', onRoute)
  await app.ready()
  return app
}

/** Returns all combinations of the settings that add routes. The functions of a router depend on all its routes together. */
function choicesOfPages () {
  return ['DOCS', 'PLAYGROUND', 'CONSOLE'].reduce((choices, name) => choices.flatMap((choice) => [{ ...choice, [name]: 'true' }, { ...choice, [name]: 'false' }]), [{}])
}

function isFresh () {
  // A container image ships dist without its sources: nothing can be newer.
  if (!existsSync(join(root, 'src'))) return true
  return isNewest(stamp, sources.map((source) => join(root, source)))
}
