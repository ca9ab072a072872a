// The client's modules as a browser can load them: the ones that were built, or in development the TypeScript made into them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What was compiled last of each file, since it is slow and a page asks for it each time it is loaded. */
const compiled = new Map<string, { readonly source: string, readonly text: string }>()

/**
 * The text of the ES module `name.js` in a folder that holds either compiled files or their sources.
 * @returns undefined where there is neither
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

/** Where sources run there is a compiler, too; what was built needs none, and does not load it. */
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
