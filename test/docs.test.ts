// Code blocks of the documentation: each is tried, page by page from top to end, as a reader would.
import t from 'tap'
import { blocksOf, PAGES } from './docs/blocks.js'
import { excuseOf, KINDS } from './docs/kinds.js'
import { Page } from './docs/page.js'
import { EXCUSED, SETTINGS } from './docs/settings.js'
import { without } from './installed.js'

/** Detects an answer with an error. Readers assume that an answer without a block of its own is no error. */
const isRefusal = (answer = '') => /"success":false|^HTTP\/1\.1 [45]/.test(answer)
const SHOWN = ['answer to the command before', 'head of an answer']

// Programs, browsers and nginx are slow, and slower beside other tests.
t.setTimeout(400_000)
/** Programs of the shell blocks. */
const unable = without('bash', 'bash') || without('curl', 'curl') || without('openssl', 'openssl')
const counts = new Map<string, number>()
const used = new Set<string>()

for (const file of PAGES) {
  const blocks = blocksOf(file)
  if (blocks.length === 0) continue
  t.test(file, { skip: unable }, async (t) => {
    const page = new Page(t, file)
    const { before = {} } = SETTINGS[file] ?? {}
    let heading = ''
    for (const block of blocks) {
      const place = `${file}:${block.line}`
      const { answer } = page
      const kind = KINDS.find(({ fits }) => fits(block, page))
      if (!kind) {
        t.fail(`${place}: no kind fits this block; write it so that a kind in test/docs/kinds.ts fits it, or excuse it in test/docs/settings.ts`)
        continue
      }
      if (isRefusal(answer) && !SHOWN.includes(kind.name)) t.fail(`${place}: the command before was refused: ${answer}`)
      for (const prepare of [block.heading === heading ? undefined : before[block.heading], before[block.lines[0]!]]) {
        if (prepare) await page.needServer()
        await prepare?.(page)
      }
      heading = block.heading
      const excuse = excuseOf(block)
      if (excuse) {
        used.add(excuse[0])
        t.comment(`${place} is not run: ${excuse[1]}`)
      }
      counts.set(kind.name, (counts.get(kind.name) ?? 0) + 1)
      if (kind.skip) {
        t.pass(`${place}: ${kind.name}`, { skip: kind.skip })
        continue
      }
      t.strictSame(await Promise.resolve(kind.run(page, block)).catch((error: Error) => [error.message]), [], `${place}: ${kind.name}`)
      // A block shows an answer once.
      if (page.answer === answer) page.answer = undefined
    }
    t.notOk(isRefusal(page.answer), `${file}: the last command is not refused`)
  })
}

t.test('every excuse is used, and every section with preparations exists', { skip: unable }, async (t) => {
  t.strictSame(EXCUSED.map(([text]) => text).filter((text) => !used.has(text)), [])
  const headings = (file: string) => new Set(blocksOf(file).flatMap(({ heading, lines }) => [heading, lines[0]!]))
  for (const [file, { before = {} }] of Object.entries(SETTINGS)) {
    t.strictSame(Object.keys(before).filter((heading) => !headings(file).has(heading)), [], file)
  }
  t.comment([...counts].map(([name, count]) => `${name}: ${count}`).join(', '))
})
