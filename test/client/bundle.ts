// The client as a page gets it: one minified ES module, bundled without a server.
import { build } from 'esbuild'
import { join } from 'node:path'
import { ROOT } from '../../src/root.js'

export interface Bundle { readonly text: string, readonly imports: string[] }

/** @param entry a file of the project */
export async function bundle (entry = 'src/client/index.ts'): Promise<Bundle> {
  const { BUNDLE } = await import(join(ROOT, 'scripts', 'client.mjs')) as { BUNDLE: object }
  const { outputFiles, metafile } = await build({ ...BUNDLE, entryPoints: [join(ROOT, entry)], format: 'esm', write: false, metafile: true })
  return { text: outputFiles[0]!.text, imports: Object.keys(metafile.inputs) }
}
