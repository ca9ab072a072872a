// Root folder of the project, found from this file's location: the source tree, or one level deeper in dist.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

function findRoot (from: string): string {
  const file = join(from, 'package.json')
  return existsSync(file) ? from : findRoot(dirname(from))
}

export const ROOT = findRoot(import.meta.dirname)

/** Version in package.json. */
export const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version
