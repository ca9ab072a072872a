// Generates the SDK: its types from openapi.yaml, and its JavaScript from sdk/index.ts. With --check it only reports whether both are current.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { ROOT } from '../src/root.js'

/** Returns the generated files as they should be: their names in sdk/, and their texts. */
export async function sdkFiles (): Promise<Map<string, string>> {
  const schema = astToString(await openapiTS(pathToFileURL(join(ROOT, 'openapi.yaml')), { silent: true }))
  const files = new Map([['schema.d.ts', `// Generated from openapi.yaml by \`npm run sdk\`.\n\n${schema}`]])
  const folder = join(ROOT, 'sdk')
  const program = ts.createProgram([join(folder, 'index.ts')], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    newLine: ts.NewLineKind.LineFeed,
    types: [],
    strict: true,
    declaration: true,
    outDir: folder
  })
  program.emit(undefined, (file, text) => files.set(relative(folder, file), text))
  return files
}

if (process.argv[1] === import.meta.filename) {
  for (const [name, text] of await sdkFiles()) {
    const file = join(ROOT, 'sdk', name)
    if (!process.argv.includes('--check')) {
      writeFileSync(file, text)
      console.log(`sdk/${name} written.`)
    } else if (readFileSync(file, 'utf8') === text) {
      console.log(`sdk/${name} is current.`)
    } else {
      console.error(`sdk/${name} is stale: run \`npm run sdk\` and commit it.`)
      process.exitCode = 1
    }
  }
}
