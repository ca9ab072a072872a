// Compiles the tests and all that they import into .tap/compiled, file by file, those whose source is newer. Types are `npm run typecheck`'s business.
// TypeScript's own emit, since its source maps are exact: with those of faster compilers c8 reports other lines than the uncovered ones.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, relative } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')
export const COMPILED = join(ROOT, '.tap/compiled')
const FOLDERS = ['src', 'plugins', 'routes', 'test', 'scripts', 'bench', 'sdk']
// A change of these can change the output of every file.
const SETTINGS = ['tsconfig.json', 'package-lock.json', 'scripts/test/compile.mjs']

/** Where the JavaScript of a source is; a file that is JavaScript is not compiled. */
export const compiledPath = (file) => file.endsWith('.ts') ? join(COMPILED, relative(ROOT, file).replace(/\.ts$/, '.js')) : file

/** Brings .tap/compiled up to date. */
export async function compile () {
  const sources = FOLDERS.flatMap((folder) => filesIn(join(ROOT, folder), isSource))
  removeOrphans(new Set(sources.map(compiledPath)))
  const settingsTime = Math.max(...SETTINGS.map((file) => modified(join(ROOT, file))))
  const stale = sources.filter((file) => modified(compiledPath(file)) <= Math.max(modified(file), settingsTime))
  if (stale.length > 0) await emit(stale)
  copyOthers()
}

const isSource = (name) => name.endsWith('.ts') && !name.endsWith('.d.ts')
const modified = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

function filesIn (folder, accepts) {
  return readdirSync(folder, { recursive: true }).filter(accepts).map((name) => join(folder, name))
}

/** The output of a deleted source would still be imported, and autoloaded. */
function removeOrphans (expected) {
  mkdirSync(COMPILED, { recursive: true })
  for (const file of filesIn(COMPILED, (name) => name.endsWith('.js'))) {
    if (!expected.has(file)) rmSync(file)
  }
}

/** Another run may be reading the file. */
function replaceFile (file, text) {
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, text)
  renameSync(temporary, file)
}

/** Copies what the sources read from beside them. */
function copyOthers () {
  for (const file of filesIn(join(ROOT, 'src'), (name) => !['', '.ts'].includes(extname(name)))) {
    const target = join(COMPILED, relative(ROOT, file))
    if (modified(target) > modified(file)) continue
    mkdirSync(dirname(target), { recursive: true })
    replaceFile(target, readFileSync(file))
  }
}

async function emit (files) {
  // By require: an import looks through nine megabytes for names.
  const ts = createRequire(import.meta.url)('typescript')
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  // One file says nothing of the package that it is in, which makes it an ES module.
  const compilerOptions = { ...options, module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Bundler, declaration: false, sourceMap: true }
  for (const file of files) {
    const target = compiledPath(file)
    const { outputText, sourceMapText } = ts.transpileModule(readFileSync(file, 'utf8'), { fileName: file, compilerOptions })
    const map = JSON.parse(sourceMapText)
    map.sources = [relative(dirname(target), file)]
    mkdirSync(dirname(target), { recursive: true })
    replaceFile(`${target}.map`, JSON.stringify(map))
    replaceFile(target, outputText)
  }
}
