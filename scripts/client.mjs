// Builds the package of the client: packages/client/dist. Each entry becomes one file, as an ES module and for require(), with its types; the files for
// <script> come without imports. With --if-stale it builds only if a source is newer. Plain JavaScript, since it runs before anything is compiled.
import { build } from 'esbuild'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isNewest } from './freshness.mjs'

const ROOT = join(import.meta.dirname, '..')
export const CLIENT = join(ROOT, 'packages', 'client')
const CORE = join(ROOT, 'src', 'client', 'index.ts')
/** Entries of the package, with their sources. */
export const ENTRIES = { index: CORE, ...Object.fromEntries(['react', 'vue', 'element'].map((name) => [name, join(CLIENT, 'src', `${name}.ts`)])) }
/** Global name of the classic script. */
const GLOBAL_NAME = 'WsPaymentClient'

/** Options of every bundle. */
export const BUNDLE = { bundle: true, minify: true, platform: 'browser', target: 'es2022', write: false, logLevel: 'silent', absWorkingDir: ROOT, tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } } }
const MAPS = { sourcemap: true, sourcesContent: true, outdir: CLIENT }

/** The client's own name, in the sources beside it: the file next to the result, or its source. */
const clientAs = (target) => ({
  name: 'client',
  setup: ({ onResolve }) => onResolve({ filter: /^ws-payment-client$/ }, () => target === undefined ? { path: CORE } : { path: target, external: true })
})

/** Returns the scripts that the server serves, by their names: whole modules without imports. */
export async function pageScripts () {
  const entryPoints = { client: CORE, 'payment-status': join(CLIENT, 'src', 'payment-status.ts') }
  const { outputFiles } = await build({ ...BUNDLE, entryPoints, format: 'esm', outdir: CLIENT, plugins: [clientAs(undefined)] })
  return new Map(outputFiles.map(({ path, text }) => [path.slice(CLIENT.length + 1), text]))
}

/** Returns the files of the package, by their names in dist. */
async function packageFiles () {
  const files = new Map()
  const add = async (folder, options) => {
    const { outputFiles } = await build({ ...BUNDLE, ...MAPS, external: ['react', 'vue'], ...options })
    for (const { path, text } of outputFiles) files.set(folder + path.slice(CLIENT.length + 1), text)
  }
  const { index, ...rest } = ENTRIES
  for (const [folder, format] of [['', 'esm'], ['cjs/', 'cjs']]) {
    await add(folder, { entryPoints: { index }, format })
    await add(folder, { entryPoints: rest, format, plugins: [clientAs('./index.js')] })
    // React's server components must not render a hook.
    for (const name of [`${folder}react.js`]) files.set(name, `"use client";${files.get(name)}`)
  }
  await add('', { entryPoints: { 'client.global': index }, format: 'iife', globalName: GLOBAL_NAME })
  for (const [name, text] of await pageScripts()) files.set(name, text)
  return files
}

/** Writes packages/client/dist. */
export async function buildPackage () {
  const { declarations } = await import('./client-types.mjs')
  const files = await packageFiles()
  for (const [name, text] of declarations(ROOT, ENTRIES)) {
    files.set(name, text)
    files.set(`cjs/${name}`, text)
  }
  // Written last: its time is that of the build.
  files.set('cjs/package.json', '{"type":"commonjs"}\n')
  const target = join(CLIENT, 'dist')
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, 'cjs'), { recursive: true })
  for (const [name, text] of files) writeFileSync(join(target, name), text)
  cpSync(join(ROOT, 'LICENSE'), join(CLIENT, 'LICENSE'))
}

const SOURCES = ['src/client', 'src/protocol', 'packages/client/src', 'packages/client/package.json', 'scripts/client.mjs', 'scripts/client-types.mjs', 'package-lock.json']
const isFresh = () => isNewest(join(CLIENT, 'dist', 'cjs', 'package.json'), SOURCES.map((source) => join(ROOT, source)))

if (process.argv[1] === import.meta.filename && !(process.argv.includes('--if-stale') && isFresh())) await buildPackage()
