// Facts of the documentation against the code: settings, errors, close codes, events, endpoints; and links against their targets.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { ConfigSchema } from '../src/config.js'
import { CLOSE, ERRORS } from '../src/errors.js'
import { EVENTS, EVENT_TYPES } from '../src/protocol/events.js'
import { RESERVED_TYPES } from '../src/protocol/server-frames.js'
import { textsOf } from './pages.js'
import { ROOT } from '../src/root.js'

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** Cells of the rows of a table, which is found by the titles of its first columns. */
function table (file: string, ...titles: string[]): string[][] {
  const lines = read(file).split('\n')
  const top = lines.findIndex((line) => line.startsWith(`| ${titles.join(' | ')} |`))
  if (top < 0) throw new Error(`${file} has no table ${titles.join(', ')}`)
  const rows = lines.slice(top + 2)
  return rows.slice(0, rows.findIndex((line) => !line.startsWith('|'))).map((line) => line.slice(2, -2).split(' | '))
}

interface Setting { default?: unknown, description: string }
const settings = Object.entries(ConfigSchema.properties as Record<string, Setting>).map(([name, { default: fallback = '–', description }]) =>
  [`\`${name}\``, String(fallback), description])

t.test('the settings are documented, each with its default and its meaning', async (t) => {
  t.strictSame(table('docs/reference/settings.md', 'Variable', 'Default', 'Meaning'), settings)
  const portuguese = table('docs/reference/settings.pt-BR.md', 'Variável', 'Padrão', 'Significado')
  t.strictSame(portuguese.map(([name, fallback]) => [name, fallback]), settings.map(([name, fallback]) => [name, fallback]))
  for (const [name, , meaning] of portuguese) t.ok(meaning, `${name} is explained`)
})

t.test('.env.example names every setting once, with its default, and no other', async (t) => {
  const lines = [...read('.env.example').matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [`\`${name}\``, value])
  t.strictSame(lines.map(([name]) => name), settings.map(([name]) => name))
  // LOG_LEVEL has no fixed default; the file shows the default of development.
  const shown = ([name, fallback]: string[]) => fallback !== '–' ? fallback : name === '`LOG_LEVEL`' ? 'debug' : ''
  t.strictSame(lines.map(([, value]) => value), settings.map(shown))
})

t.test('the errors are documented with status, retryability and sentence', async (t) => {
  const errors = Object.entries(ERRORS).map(([code, { status, retryable, message }]) => ({ code: `\`${code}\``, status: String(status), retryable, message }))
  t.strictSame(table('docs/reference/errors.md', 'Code', 'HTTP status', 'Retryable', 'Sentence'),
    errors.map(({ code, status, retryable, message }) => [code, status, retryable ? 'yes' : 'no', message]))
  t.strictSame(table('docs/reference/errors.pt-BR.md', 'Código', 'Status HTTP', 'Vale repetir').map((row) => row.slice(0, 3)),
    errors.map(({ code, status, retryable }) => [code, status, retryable ? 'sim' : 'não']))
})

t.test('the close codes are documented with their reasons', async (t) => {
  const closes = Object.values(CLOSE).map(({ code, reason }) => [String(code), reason])
  t.strictSame(table('docs/reference/close-codes.md', 'Code', 'Reason').map((row) => row.slice(0, 2)), closes)
  t.strictSame(table('docs/reference/close-codes.pt-BR.md', 'Código', 'Motivo').map((row) => row.slice(0, 2)), closes)
})

t.test('the events are documented', async (t) => {
  const events = EVENT_TYPES.map((type) => `\`${type}\``)
  t.strictSame(table('docs/reference/events.md', 'Event', 'Sent by').map(([event]) => event), events)
  t.strictSame(table('docs/reference/events.pt-BR.md', 'Evento', 'Quem envia').map(([event]) => event), events)
})

t.test('the other frames are documented', async (t) => {
  const protocol = read('docs/protocol.md')
  for (const type of [...RESERVED_TYPES].filter((type) => !(type in EVENTS))) t.ok(protocol.includes(`\`${type}\``), type)
})

t.test('the endpoints are documented', async (t) => {
  const { paths } = parse(read('openapi.yaml')) as { paths: Record<string, Record<string, { operationId: string }>> }
  const operations = Object.entries(paths).flatMap(([url, methods]) => Object.entries(methods).map(([method, { operationId }]) =>
    ({ operationId, request: `\`${method.toUpperCase()} ${url.replace(/\{(\w+)\}/g, ':$1')}\`` })))
  for (const [rows, page] of [[table('docs/rest.md', 'Operation', 'Request'), ''], [table('docs/reference/rest.pt-BR.md', 'Operação', 'Requisição'), '../rest.md']] as const) {
    t.strictSame(rows.map((row) => row.slice(0, 2)).sort(), operations.map(({ operationId, request }) => [`[${operationId}](${page}#${operationId.toLowerCase()})`, request]).sort())
  }
  for (const { operationId, request } of operations) {
    t.ok(read('docs/rest.md').includes(`\n## ${operationId}\n\n${request.slice(0, -1)}`), `${operationId} is described`)
  }
})

/** Text of a page without its code blocks, which may hold brackets and hashes. */
const prose = (file: string) => read(file).replace(/^```[^]*?^```$/gm, '')

/** Anchors that GitHub gives to the headings of a file. */
function anchorsOf (file: string): string[] {
  return [...prose(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'))
}

/** Folders with pages. */
const FOLDERS = ['docs', 'examples', 'src', 'deploy', 'sdk', 'packages', '.changeset']
const markdown = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...FOLDERS.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md')).map((name) => join(folder, name)))
]

t.test('every relative link leads to an existing file, and to an existing heading if it has an anchor', async (t) => {
  let checked = 0
  for (const file of markdown) {
    for (const [, link] of prose(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue
      const [path, anchor] = decodeURI(link!).split('#') as [string, string?]
      const target = path === '' ? file : join(dirname(file), path)
      t.ok(existsSync(join(ROOT, target)), `${file}: ${link}`)
      if (anchor !== undefined) t.ok(anchorsOf(target).includes(anchor), `${file}: the heading of ${link}`)
      checked++
    }
  }
  t.ok(checked > 200, `${checked} links`)
})

t.test('no page uses vague words such as whoever', async (t) => {
  // The changelog is not rewritten.
  for (const file of markdown.filter((file) => file !== 'CHANGELOG.md')) t.notMatch(prose(file), /\bwhoever\b|\bwhatever\b|what becomes of|hears? of\b|\b(is|are) told\b/i, file)
})

t.test('links lead from the README to every page under docs/', async (t) => {
  const reached = new Set<string>()
  const queue = ['README.md', 'README.pt-BR.md']
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    const links = [...prose(file).matchAll(/\]\(([^)\s#]+\.md)(?:#[^)]*)?\)/g)].map(([, path]) => path!).filter((path) => !/^[a-z]+:/.test(path))
    queue.push(...links.map((path) => join(dirname(file), path)))
  }
  t.strictSame(markdown.filter((file) => file.startsWith('docs/') && !reached.has(file)), [])
})

t.test('the tutorial uses the texts of the playground', async (t) => {
  const texts = await textsOf(join(ROOT, 'pages/playground'))
  for (const [file, language] of [['docs/tutorial.md', 'en'], ['docs/tutorial.pt-BR.md', 'pt']] as const) {
    const known = Object.values(texts[language]).map((text) => text.replace(' {amount}', ''))
    const named = [...prose(file).matchAll(/\*\*([^*]+)\*\*/g)].map(([, name]) => name!.replaceAll('\n', ' '))
    t.ok(named.length > 10)
    t.strictSame(named.filter((name) => !known.includes(name)), [], file)
  }
})
