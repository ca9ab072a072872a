// The pages about the client against its types: every option, signal, property and error, in both languages.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MAX_BYTES, MAX_WAITING } from '../../src/client/pending-events.js'
import { ROOT } from '../../src/root.js'

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const source = (name: string) => read(`src/client/${name}.ts`)

/** Names of the properties of an interface in a source. */
function namesIn (text: string, name: string): string[] {
  const body = new RegExp(`interface ${name}\\b[^{]*\\{\\n([^]*?)\\n\\}`).exec(text)![1]!
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, property]) => property!)
}

/** Names in code font in the first cells of the table under a heading. */
function firstCells (page: string, heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!
  const rows = section.split('\n').filter((line) => line.startsWith('| ')).slice(2)
  return rows.flatMap((row) => [...row.split(' | ')[0]!.matchAll(/`(\w+)/g)].map(([, name]) => name!)).sort()
}

const options = [...namesIn(source('options'), 'ConnectOptions'), ...namesIn(source('environment'), 'Environment')].sort()
const signals = namesIn(source('signals'), 'RoomEventMap').sort()
const publicOf = [...source('room').matchAll(/^ {2}(?:get )?([a-z]\w+)(?:<.*?>)? \(/gm)].map(([, name]) => name!).filter((name) => name !== 'constructor').sort()
const codes = [...new Set([...source('frames').matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code!).filter((code) => code !== 'code'))].sort()

for (const [file, headings] of [
  ['docs/client.md', ['Options', 'Signals', 'Properties and methods', 'Errors']],
  ['docs/client.pt-BR.md', ['Opções', 'Sinais', 'Propriedades e métodos', 'Erros']]
] as const) {
  t.test(`${file} names all of the client`, async (t) => {
    const page = read(file)
    const [ofOptions, ofSignals, ofRoom, ofErrors] = headings.map((heading) => firstCells(page, heading))
    t.ok(options.length > 15 && publicOf.length > 8 && signals.length > 8)
    t.strictSame(ofOptions, options)
    t.strictSame(ofSignals, signals)
    t.strictSame(ofRoom!.filter((name) => !['type', 'payload', 'id', 'name', 'handler', 'keep'].includes(name)), publicOf)
    t.strictSame(ofErrors, [...codes, 'INVALID_FRAME'].sort())
    const number = (value: number) => value.toLocaleString(file.includes('pt-BR') ? 'pt-BR' : 'en')
    for (const bound of [MAX_WAITING, MAX_BYTES]) t.ok(page.includes(number(bound)), number(bound))
  })
}
