// Loads the client library's ES modules for browsers: compiled files, or in development TypeScript that is transpiled on request.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Last transpiled text of each file: transpiling is slow, and a page requests its modules on every load. */
const compiled = new Map<string, { readonly source: string, readonly text: string }>()

/**
 * Returns the text of the ES module `name.js`, from a folder that holds either compiled files or their sources.
 * @returns undefined if there is neither
 */
export async function browserModule (folder: string, name: string): Promise<string | undefined> {
  const built = await read(join(folder, `${name}.js`))
  if (built !== undefined) return built
  const file = join(folder, `${name}.ts`)
  const source = await read(file)
  if (source === undefined) return undefined
  const last = compiled.get(file)
  if (last?.source === source) return last.text
  const text = await compile(source)
  compiled.set(file, { source, text })
  return text
}

/** Transpiles TypeScript. The compiler is imported on demand: it is installed wherever sources run, and a build needs none. */
async function compile (source: string): Promise<string> {
  const { default: ts } = await import('typescript')
  return ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true } }).outputText
}

async function read (file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
