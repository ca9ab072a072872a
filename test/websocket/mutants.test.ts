// The conformance cases are worth something: a server with any of these faults fails one of them, and one without passes all.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { startProcess } from '../server-process.js'
import { until } from '../until.js'
import { CASES, LIMIT_CASES, type Case } from './cases.js'
import { faultOf, runsOf } from './exchange.js'
import { MUTANTS, type Mutant } from './mutants.js'
import { inParallel } from './parallel.js'
import { LIMIT_SETTINGS, SETTINGS } from './settings.js'

/** More than a minute of CPU, for something that changes when the parser does. */
const options = process.env.CI || process.env.MUTANTS ? { timeout: 900_000 } : { skip: 'takes more than a minute (set MUTANTS=1, or CI)' }

/** A copy of the compiled server beside the original, so that it finds the same packages. */
function copyOfDist (): string {
  const parent = join(ROOT, '.tap')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'mutants-'))
  cpSync(join(ROOT, 'dist'), folder, { recursive: true, filter: (path) => !/\.(?:map|d\.ts)$/.test(path) })
  return folder
}

/** The one file in which a fault can be made. */
function placeOf ({ fault, find }: Mutant, folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js') && !/^src\/(?:cli|client)\//.test(file)).map((file) => join(folder, file))
  const found = files.filter((file) => find.test(readFileSync(file, 'utf8')))
  if (found.length !== 1) throw new Error(`${fault}: ${find} is in ${found.length} files`)
  return found[0]!
}

/** The first run of these cases that fails against the server in this folder; undefined where all pass. */
async function firstFault (folder: string, cases: readonly Case[], settings: Record<string, string>): Promise<string | undefined> {
  const { child, output, exit } = startProcess({ ...settings, PORT: '0', NODE_ENV: 'production' }, { entry: join(folder, 'src/server.js') })
  const port = () => Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(output())?.[1])
  try {
    await until(() => `the server listens; it said: ${output()}`, () => port() > 0)
    let fault: string | undefined
    await inParallel(runsOf(cases, ['fast']), async (run) => {
      const found = await faultOf(port(), run)
      fault ??= found
    }, () => fault !== undefined)
    return fault
  } finally {
    child.kill('SIGKILL')
    await exit
  }
}

t.test('a fault in the frame parser fails a case', options, async (t) => {
  const folder = copyOfDist()
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  t.equal(await firstFault(folder, CASES, SETTINGS), undefined, 'without a fault, all cases pass')
  t.equal(await firstFault(folder, LIMIT_CASES, LIMIT_SETTINGS), undefined, 'and those of the limit')
  let killed = 0
  for (const mutant of MUTANTS) {
    const file = placeOf(mutant, folder)
    const source = readFileSync(file, 'utf8')
    const mutated = source.replace(mutant.find, mutant.replace)
    writeFileSync(file, mutated)
    const [cases, settings] = mutant.group === 'limit' ? [LIMIT_CASES, LIMIT_SETTINGS] : [CASES.filter(({ id }) => id.startsWith(mutant.group)), SETTINGS]
    const fault = await firstFault(folder, cases, settings)
    writeFileSync(file, source)
    if (fault !== undefined) killed++
    t.ok(fault !== undefined && mutated !== source, `${mutant.fault}: ${fault ?? 'no case fails'}`)
  }
  t.comment(`${killed} of ${MUTANTS.length} mutants fail`)
})
