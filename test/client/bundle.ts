// The client as a page gets it: one minified ES module, bundled without a server.
import { build } from 'esbuild'
import { join } from 'node:path'
import { ROOT } from '../../src/root.js'

export interface Bundle { readonly text: string, readonly imports: string[] }

/** @param entry a file of the project */
export async function bundle (entry = 'src/client/index.ts'): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(ROOT, entry)], bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, metafile: true, logLevel: 'silent'
  })
  return { text: outputFiles[0]!.text, imports: Object.keys(metafile.inputs) }
}
