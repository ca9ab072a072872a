// Cost of a start: CPU time until the first answer, memory, and the modules that are loaded. `npm run bench:start` prints them beside other servers, with `--state`
// it writes the modules into bench/start.json; test/e2e/start.test.ts holds them.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../src/root.js'
import { freePort } from '../test/free-port.js'
import { until } from '../test/until.js'
import { build } from './process.js'

const FILE = join(ROOT, 'bench/start.json')
const COMMAND = 'npm run bench:start -- --state'
const { NODE_DISABLE_COMPILE_CACHE } = process.env
const SETTINGS = { NODE_ENV: 'production', LOG_LEVEL: 'info', ...(NODE_DISABLE_COMPILE_CACHE && { NODE_DISABLE_COMPILE_CACHE }) }
const rival = (name: string) => join(ROOT, 'bench/compare/rivals', `${name}.js`)

/** Servers that are started, by name. The first one is the baseline of the others. */
export const SERVERS: Readonly<Record<string, string>> = {
  'raw ws': rival('raw-ws'), 'bare Fastify': rival('fastify'), 'Socket.IO': rival('socket-io'), ours: join(ROOT, 'dist/src/server.js')
}
/** Path of the first request, if it is not that of a liveness probe: Socket.IO answers its own alone. Any status is an answer. */
const PATHS: Readonly<Record<string, string>> = { [SERVERS['Socket.IO']!]: '/socket.io/' }

export interface Start {
  /** Time until the first answer, ms: CPU time of all threads, and the time that passed. */
  readonly cpu: number
  readonly wall: number
  /** Resident memory after the first answer, MiB; the part that is the process's own is mostly heap, the rest the file of Node.js. */
  readonly resident: number
  readonly own: number
}

/** Bytes of source by package; `.` for this one. */
type Modules = Readonly<Record<string, number>>

interface Stated {
  readonly command: string
  /** Shares of the stated bytes by which the loaded ones may be above and below. */
  readonly tolerance: { readonly above: number, readonly below: number }
  /** CPU time of a start, at most: a multiple of that of a bare Fastify in the same run. */
  readonly maxTimesFastify: number
  /** Memory of its own after a start, at most: the same. */
  readonly maxMemoryTimesFastify: number
  readonly modules: Modules
}

/** Reports the sources that V8 has compiled when a line arrives on standard input. */
const REPORT = `import { Session } from 'node:inspector'
const session = new Session(), scripts = []
session.connect()
session.on('Debugger.scriptParsed', ({ params: { url, length } }) => scripts.push([url, length]))
session.post('Debugger.enable')
process.stdin.once('data', () => process.stdout.write('scripts:' + JSON.stringify(scripts) + '\\n', () => process.exit()))`

export function readStated (): Stated { return JSON.parse(readFileSync(FILE, 'utf8')) as Stated }

/** Starts a server, runs the work once it answers, and ends the server. */
async function started<Result> (file: string, flags: readonly string[], work: (child: ChildProcess, begun: number) => Promise<Result>): Promise<Result> {
  const port = await freePort()
  const begun = performance.now()
  const child = spawn(process.execPath, [...flags, file], { cwd: join(ROOT, 'bench'), env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), ...SETTINGS }, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdout!.setEncoding('utf8').resume()
  const exited = once(child, 'exit')
  try {
    await until(`${file} answers`, () => fetch(`http://127.0.0.1:${port}${PATHS[file] ?? '/health'}`).then(() => true, () => false))
    return await work(child, begun)
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

/** Measures a start. */
export function measureStart (file: string): Promise<Start> {
  return started(file, [], async ({ pid }, begun) => {
    const wall = performance.now() - begun
    const cpu = readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e6
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const mebibytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024
    return { cpu, wall, resident: mebibytes('VmRSS'), own: mebibytes('RssAnon') }
  })
}

/** Measures starts of these servers in turns. @returns the starts of each, in the order of the names */
export async function measureStarts (names: readonly string[], rounds: number): Promise<Start[][]> {
  const starts: Start[][] = names.map(() => [])
  for (let round = 0; round < rounds; round++) for (const [i, name] of names.entries()) starts[i]!.push(await measureStart(SERVERS[name]!))
  return starts
}

/** @returns the sources that a start of the built server loads, without those of Node.js and those made of text */
export function loadedModules (): Promise<Modules> {
  return started(SERVERS.ours!, ['--import', `data:text/javascript,${encodeURIComponent(REPORT)}`], async (child) => {
    let output = ''
    child.stdout!.on('data', (text: string) => { output += text })
    child.stdin!.write('\n')
    await until('the modules are reported', () => /^scripts:.*\n/m.test(output))
    const modules: Record<string, number> = {}
    for (const [url, length] of JSON.parse(/^scripts:(.*)$/m.exec(output)![1]!) as Array<[string, number]>) {
      const name = packageOf(url)
      if (name !== undefined) modules[name] = (modules[name] ?? 0) + length
    }
    return modules
  })
}

function packageOf (url: string): string | undefined {
  const last = [...url.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].at(-1)
  return last ? last[1] : url.includes('/dist/') ? '.' : undefined
}

/** @returns advice where a start loads other packages or much more or less than stated; empty if it does not */
export function verdict (loaded: Modules, { modules, tolerance: { above, below } }: Pick<Stated, 'modules' | 'tolerance'>): string[] {
  const sum = (all: Modules) => Object.values(all).reduce((bytes, more) => bytes + more, 0)
  const [bytes, stated] = [sum(loaded), sum(modules)]
  const advice = `load it where it is used; where every start needs it, ${COMMAND}, and say why in the commit`
  const problems = Object.keys(loaded).filter((name) => !Object.hasOwn(modules, name)).map((name) => `a start loads ${name}: ${advice}`)
  if (bytes > stated * (1 + above)) problems.push(`a start loads ${bytes} bytes of source, and ${stated} are stated: ${advice}`)
  if (bytes < stated * (1 - below)) problems.push(`a start loads ${bytes} bytes of source, and ${stated} are stated: so that it stays so, ${COMMAND}`)
  return problems
}

/** Formats the starts as a table in Markdown: medians, and ratios of CPU time to the first one. */
export function showStarts (names: readonly string[], starts: readonly Start[][]): string {
  const middle = (figures: readonly number[]) => figures.toSorted((a, b) => a - b)[figures.length >> 1]!
  const cpu = starts.map((all) => middle(all.map(({ cpu }) => cpu)))
  const rows = starts.map((all, i) => {
    const [wall, resident, own] = (['wall', 'resident', 'own'] as const).map((key) => Math.round(middle(all.map((start) => start[key]))))
    return `| ${names[i]} | ${Math.round(cpu[i]!)} | ${(cpu[i]! / cpu[0]!).toFixed(2)} | ${wall} | ${resident} | ${own} |`
  })
  return [`|  | ms of CPU | × ${names[0]} | ms | MiB resident | of that its own |`, '| --- | ---: | ---: | ---: | ---: | ---: |', ...rows].join('\n')
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { state: { type: 'boolean', default: false }, rounds: { type: 'string', default: '11' } } })
  build()
  const modules = await loadedModules()
  console.log(`Node.js ${process.version}, medians of ${values.rounds} starts in turns, until the first answer\n`)
  console.log(showStarts(Object.keys(SERVERS), await measureStarts(Object.keys(SERVERS), Number(values.rounds))))
  console.log(`\n| Package | Source, bytes |\n| --- | ---: |\n${Object.entries(modules).map(([name, bytes]) => `| ${name} | ${bytes.toLocaleString('en')} |`).join('\n')}`)
  if (values.state) writeFileSync(FILE, `${JSON.stringify({ ...readStated(), modules: Object.fromEntries(Object.entries(modules).sort(([a], [b]) => a < b ? -1 : 1)) }, null, 2)}\n`)
}
