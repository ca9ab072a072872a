// Benchmark: cost of an event, a connection and a room, beside other servers on the same machine in the same run. `npm run bench` writes docs/benchmarks.md, in about an
// hour; with `--suite NAME`, once or more, the tables of these suites alone. `--quick` only prints, after two minutes, and `--server NAME` only prints what it is about.
// Compare the ratios within one run, not the figures of two runs.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ROOT } from '../src/root.js'
import { CONTESTANTS, JOURNALED, whyMissing, type Contestant } from './compare/contestants.js'
import { growth, type Growth } from './compare/growth.js'
import { descriptors, keeping, type Kept } from './compare/keeping.js'
import { DRIVER, pin, Running, SERVERS } from './compare/process.js'
import { withSections } from './compare/page.js'
import { JOURNAL_SUITES, SUITES, type Slice, type Suite } from './compare/suites.js'
import { showDisk } from './disk.js'
import { build } from './process.js'
import { measureStarts, showStarts, SERVERS as STARTED } from './start.js'
import { withRedis } from './redis-look.js'

/** Share of the servers' CPU that other processes may use before the figures count as noisy. */
const NOISY = 0.1
/** Pause between slices, in which garbage is collected and nothing is measured, ms. */
const REST = 100

interface Plan {
  /** Number of restarts of all contestants. */
  readonly rounds: number
  /** Number of slices of each contestant in a round. */
  readonly cycles: number
  /** Size of a slice, as a share of the full size. */
  readonly scale: number
  /** Parts that run only if they are requested by name, for lack of time. */
  readonly without: readonly string[]
}

const FULL: Plan = { rounds: 3, cycles: 6, scale: 1, without: [] }
const QUICK: Plan = { rounds: 1, cycles: 3, scale: 0.25, without: ['keeping'] }

/** Figure of a contestant: the median of all slices, and its ratio to the first contestant: the median, the least and the most over the restarts. */
export interface Figure { readonly figure: number, readonly ratio: number, readonly least: number, readonly most: number }
export interface Row { readonly name: string, readonly figures: readonly Figure[] }
export interface Table { readonly suite: Suite, readonly rows: readonly Row[], readonly foreign: number }

/** Returns the median; for an even count the mean of the two middle figures. */
function middle (figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

/** Runs a round: one start of all contestants, which take turns slice by slice, so that drift of the machine affects all of them. */
async function round (suite: Suite, contestants: readonly Contestant[], { cycles, scale }: Plan): Promise<Slice[][]> {
  return withRedis(async (redis) => {
    pin(redis.pid, SERVERS)
    const running: Running[] = []
    try {
      const slices: Slice[][] = contestants.map(() => [])
      const start = async (contestant: Contestant) => {
        const one = await Running.start(contestant, redis)
        running.push(one)
        // An event over Redis takes several times as long; a smaller slice keeps the duration similar.
        return suite.prepare(one, contestant.nodes > 0 ? scale / 4 : scale)
      }
      if (suite.solo) {
        for (const [i, contestant] of contestants.entries()) {
          const { slice, end } = await start(contestant)
          slices[i]!.push(await slice())
          end()
          await running.pop()!.stop()
        }
        return slices
      }
      const prepared = []
      for (const contestant of contestants) prepared.push(await start(contestant))
      for (let cycle = 0; cycle < cycles * (suite.times ?? 1); cycle++) {
        for (const [i, { slice }] of prepared.entries()) {
          await sleep(REST)
          slices[i]!.push(await slice())
        }
      }
      for (const { end } of prepared) end()
      return slices
    } finally {
      for (const one of running) await one.stop()
    }
  })
}

/**
 * Compares the contestants over several restarts, since the compiler optimizes the same code differently from start to start. Contestants over Redis run
 * in a group of their own, with the first contestant: their nodes work even when no events are sent, which would disturb the others.
 */
async function compare (suite: Suite, all: readonly Contestant[], plan: Plan): Promise<Table> {
  const contestants = all.filter(({ suites }) => suites?.includes(suite.name) ?? true)
  const rows: Row[] = []
  const foreign: number[] = []
  for (const overRedis of [false, true]) {
    const group = contestants.filter(({ nodes }, i) => i === 0 || (nodes > 0) === overRedis)
    if (group.length === 1) continue
    const rounds: Slice[][][] = []
    for (let n = 0; n < plan.rounds; n++) rounds.push(await round(suite, group, plan))
    const rowsOf = group.map(({ name }, i) => ({ name, figures: figuresOf(rounds.map((slices) => slices[i]!), rounds.map(([first]) => first!)) }))
    rows.push(...rowsOf.slice(rows.length === 0 ? 0 : 1))
    foreign.push(...rounds.flat(2).map((slice) => slice.foreign))
  }
  return { suite, rows, foreign: middle(foreign) }
}

/** @param mine slices of each restart @param first slices of the contestant that is compared with */
function figuresOf (mine: readonly Slice[][], first: readonly Slice[][]): Figure[] {
  return mine[0]![0]!.figures.map((_, n) => {
    // Each ratio is between slices of the same cycle.
    const ratios = mine.map((slices, restart) => middle(slices.map(({ figures }, turn) => figures[n]! / first[restart]![turn]!.figures[n]!)))
    return { figure: middle(mine.flat().map(({ figures }) => figures[n]!)), ratio: middle(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
  })
}

function today (): string { return new Date().toISOString().slice(0, 10) }

function rounded (value: number): string { return value >= 1000 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3)).toString() }

/** Formats the table of a suite in Markdown, with a note if the machine was busy. */
export function show ({ suite, rows, foreign }: Table): string {
  const head = ['', ...suite.units.flatMap((unit) => [unit, `× ${rows[0]!.name}`, 'restarts'])]
  const lines = rows.map(({ name, figures }) => [name, ...figures.flatMap(({ figure, ratio, least, most }) => [rounded(figure), ratio.toFixed(2), `${least.toFixed(2)}–${most.toFixed(2)}`])])
  const noise = foreign > NOISY ? `\n\nThe machine was busy with other things: they used ${Math.round(foreign * 100)} % of the servers' CPU.` : ''
  return `## ${suite.name[0]!.toUpperCase()}${suite.name.slice(1)}\n\n${suite.about[0]!.toUpperCase()}${suite.about.slice(1)}. ${today()}.\n\n${markdown([head, ...lines])}${noise}`
}

function showGrowth (rows: readonly Growth[]): string {
  return `## Growth\n\nOurs, with the rooms of the relay suite, while the number of stored rooms and events grows: the cost of an event must not grow with them. ${today()}.\n\n${markdown([
    ['', 'µs of CPU per event', `× ${CONTESTANTS[0]!.name}`, `× ${rows[0]!.name}`, 'MiB resident'],
    ...rows.map(({ name, cpu, ratio, memory }) => [name, rounded(cpu), ratio.toFixed(2), (ratio / rows[0]!.ratio).toFixed(2), rounded(memory)])
  ])}`
}

function showKept (rows: readonly Kept[]): string {
  return `## Keeping

Ours alone, one process per kind: the memory of that many, the memory of each since the row before, and the CPU time while nothing is sent but pings, each 25 s.
A socket is a device that joined, two in a room. It needs a descriptor, of which a process here has at most ${descriptors().toLocaleString('en')}. ${today()}.

${markdown([
    ['', 'KiB for each', 'MiB resident', 'ms of CPU a second'], ...rows.map(({ name, each, memory, silence }) => [name, each?.toFixed(2) ?? '–', rounded(memory), silence.toFixed(1)])
  ])}`
}

/** Starts servers in turns. @param rounds number of starts of each */
async function starts (rounds: number): Promise<string> {
  const names = Object.keys(STARTED)
  return `## Start and footprint

From the start of the process to its first answer, without Redis: CPU time of all threads, the time that passed, and then the resident memory, of which the part that is
not the process's own is mostly the file of Node.js, which processes share. A bare Fastify has one route and no log. Medians of ${rounds} starts in turns. ${today()}.

${showStarts(names, await measureStarts(names, rounds))}`
}

function markdown ([head, ...lines]: readonly string[][]): string {
  return [head!, head!.map((_, i) => i === 0 ? '---' : '---:'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function versionOf (name: string): string {
  return (JSON.parse(readFileSync(createRequire(import.meta.url).resolve(`${name}/package.json`), 'utf8')) as { version: string }).version
}

function introduction (): string {
  return `# Benchmarks

<!-- Written by \`npm run bench\`: change bench/compare.ts, not this page. -->

The cost of an event, a connection and a room, compared with other servers on the same machine in the same run.

| Server | |
| --- | --- |
| ours | as it ships: validation, card guard, numbers, log, ids, state, metrics, log level \`info\`. Only the limits on connections and on a socket's messages are off, since all load comes from one address |
| raw ws | parses, checks and stores nothing: the limit of the library |
| ws + JSON | the minimum that answers to our protocol |
| Socket.IO | its own rooms, over WebSocket only; no log |
| µWebSockets.js | as ws + JSON, on a library in C++. Only where its package is installed |
| …, 2 nodes | two processes and one Redis: device 1 on one of them, device 2 on the other |
| ws + pub/sub | raw ws, and a channel of Redis for each room (ioredis). No log: what a device misses is lost |
| Socket.IO + pub/sub | \`@socket.io/redis-adapter\`. No log |
| Socket.IO + streams | \`@socket.io/redis-streams-adapter\` with connection state recovery: one log for all rooms, of its default length |

CPU time is that of all threads, of both nodes, and of Redis. A column × is the ratio of the figure before it to that of raw ws, measured in alternating slices: the median of
${FULL.rounds} restarts, with the minimum and maximum. Higher is better for a rate, lower for every other figure.

Each table has the day of its run. \`npm run bench\` with Node.js ${process.versions.node}, ws ${versionOf('ws')}, Socket.IO ${versionOf('socket.io')} with redis-adapter ${versionOf('@socket.io/redis-adapter')} and redis-streams-adapter ${versionOf('@socket.io/redis-streams-adapter')}, ioredis ${versionOf('ioredis')}, Redis ${/v=(\S+)/.exec(String(spawnSync('redis-server', ['--version']).stdout))![1]!}, Linux on ${cpus().length} × ${cpus()[0]!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB. Servers on one CPU, devices on another.
Where nothing else is said, other processes took at most ${NOISY * 100} % of the servers' CPU. Absolute figures are this machine's; compare ratios.`
}

/** Suites besides those of two devices. */
const OTHERS = ['journal', 'growth', 'keeping', 'start']

/** Suites of a run: all that the plan has time for, or those that were asked for; `latency` is both of its rates. */
function chooseSuites (asked: readonly string[] | undefined, { without }: Plan): (name: string) => boolean {
  const isOf = (name: string, suite: string) => name === suite || name.startsWith(`${suite} at `)
  const all = [...SUITES.map(({ name }) => name), ...OTHERS]
  const unknown = asked?.filter((suite) => !all.some((name) => isOf(name, suite))) ?? []
  if (unknown.length > 0) throw new Error(`no suite ${unknown.join(', ')}; there are ${all.join(' | ')}`)
  return (name) => asked?.some((suite) => isOf(name, suite)) ?? !without.includes(name)
}

/** Contestants of a run, and the reasons for which others are left out. */
function chooseContestants ({ quick, server: only }: { quick: boolean, server?: string[] }): { chosen: Contestant[], reasons: string[] } {
  const unknown = only?.filter((name) => !CONTESTANTS.some((contestant) => contestant.name === name)) ?? []
  if (unknown.length > 0) throw new Error(`no server ${unknown.join(', ')}; there are ${CONTESTANTS.map(({ name }) => name).join(' | ')}`)
  // Two minutes are not enough for the contestants over Redis.
  const asked = CONTESTANTS.filter(({ name, nodes }, i) => i === 0 || (only?.includes(name) ?? (!quick || nodes === 0)))
  return { chosen: asked.filter((contestant) => whyMissing(contestant) === undefined), reasons: asked.flatMap((contestant) => whyMissing(contestant) ?? []) }
}

if (process.argv[1] === import.meta.filename) {
  const several = { type: 'string', multiple: true } as const
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, suite: several, server: several } })
  const { quick, suite: only, server } = values
  const { chosen: contestants, reasons } = chooseContestants(values)
  for (const reason of reasons) console.log(`${reason}\n`)
  build()
  pin(process.pid, DRIVER)
  const plan = quick ? QUICK : FULL
  const wanted = chooseSuites(only, plan)
  if (quick) console.log(`One restart, ${plan.scale * 100} % of the load: where something stands, not by how much.\n`)
  const tables: Table[] = []
  for (const suite of SUITES.filter(({ name }) => wanted(name))) {
    tables.push(await compare(suite, contestants, plan))
    console.log(`${show(tables.at(-1)!)}\n`)
  }
  let journal = ''
  if (wanted('journal')) {
    for (const suite of JOURNAL_SUITES) journal += `${show(await compare(suite, JOURNALED, plan))}\n\n`
    journal += `In this run ${showDisk()}.`
  }
  console.log(`${journal}\n`)
  const grown = wanted('growth') ? showGrowth(await growth(plan.scale)) : ''
  console.log(`${grown}\n`)
  const kept = wanted('keeping') ? showKept(await keeping(plan.scale)) : ''
  console.log(kept)
  const begun = wanted('start') ? await starts(quick ? 3 : 11) : ''
  console.log(`${begun}\n`)
  if (quick || server !== undefined) process.exit()
  const [path, text] = [join(ROOT, 'docs/benchmarks.md'), [introduction(), ...tables.map(show), journal, grown, kept, begun].filter((part) => part !== '').join('\n\n')]
  writeFileSync(path, only === undefined ? `${text}\n` : withSections(readFileSync(path, 'utf8'), text))
}
