// Fenced blocks of the documentation, each with its place.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../src/root.js'

export interface Block {
  /** Path within the project. */
  readonly file: string
  readonly line: number
  readonly language: string
  readonly text: string
  readonly lines: readonly string[]
  /** Heading of the section with the block. */
  readonly heading: string
}

const found = (folder: string, depth: number): string[] => readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
  const path = join(folder, entry.name)
  if (entry.isDirectory()) return depth > 0 ? found(path, depth - 1) : []
  return entry.name.endsWith('.md') ? [path] : []
})

/** Pages whose examples a reader may try. CONTRIBUTING.md and CHANGELOG.md have none. */
export const PAGES = ['README.md', 'README.pt-BR.md', 'SECURITY.md', ...found('docs', 5), ...found('examples', 5)].sort()

/** Returns the blocks of a page, from its top to its end. */
export function blocksOf (file: string): Block[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  const blocks: Block[] = []
  let heading = ''
  let start: { line: number, language: string } | undefined
  let lines: string[] = []
  for (const [index, line] of source.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)
    if (fence && !start) {
      start = { line: index + 1, language: fence[1]! }
      lines = []
    } else if (fence && start) {
      blocks.push({ file, ...start, text: lines.join('\n'), lines, heading })
      start = undefined
    } else if (start) {
      lines.push(line)
    } else {
      heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading
    }
  }
  if (start) throw new Error(`${file}:${start.line}: the block has no end`)
  return blocks
}
