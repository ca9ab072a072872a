// Mutation test of the conformance cases: a server with any of these faults fails one of them, and one without passes all.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { plainNode } from '../plain-node.js'
import { FAST_PATH_OFF, MUTANTS, type Mutant } from './mutants.js'

t.setTimeout(900_000)

/** Copies the compiled server beside the original, so that it finds the same packages. */
function copyOfDist (): string {
  const parent = join(ROOT, '.tap')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'mutants-'))
  cpSync(join(ROOT, 'dist'), folder, { recursive: true, filter: (path) => !/\.(?:map|d\.ts)$/.test(path) })
  return folder
}

/** File to which a fault applies. */
function placeOf ({ fault, find }: Mutant, folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js') && !/^src\/(?:cli|client)\//.test(file)).map((file) => join(folder, file))
  const found = files.filter((file) => find.test(readFileSync(file, 'utf8')))
  if (found.length !== 1) throw new Error(`${fault}: ${find} is in ${found.length} files`)
  return found[0]!
}

/** Runs the cases of a group in a process of its own, which a fault may break. @returns the first that fails; undefined if all pass */
async function firstFault (folder: string, group: string): Promise<string | undefined> {
  const [command, args] = plainNode(join(import.meta.dirname, 'run-cases.js'), join(folder, 'src'), group)
  // Several faults silence the server; the run without a fault shows that the time is sufficient.
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, CASE_PATIENCE_MS: '10000' } })
  const lines = await text(child.stdout)
  if (lines.startsWith('fault: ')) return lines.trim()
  return lines === 'all pass\n' ? undefined : `the server breaks: ${lines}`
}

/** The same once more if the fast path was off: the self-test also turns it off on a machine that is slow for a moment. */
async function faultIn (folder: string, group: string): Promise<string | undefined> {
  const fault = await firstFault(folder, group)
  return fault === `fault: ${FAST_PATH_OFF}` ? await firstFault(folder, group) : fault
}

t.test('each fault in the frame parser fails a case', async (t) => {
  const folder = copyOfDist()
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const group of ['', 'limit']) t.equal(await faultIn(folder, group), undefined, 'without a fault, all cases pass')
  let killed = 0
  for (const mutant of MUTANTS) {
    const file = placeOf(mutant, folder)
    const source = readFileSync(file, 'utf8')
    const mutated = source.replace(mutant.find, mutant.replace)
    writeFileSync(file, mutated)
    // On a machine that is slow for a moment the connections may have bypassed the parser, through HTTP.
    const fault = await faultIn(folder, mutant.group) ?? await faultIn(folder, mutant.group)
    writeFileSync(file, source)
    if (fault !== undefined) killed++
    t.ok(fault !== undefined && mutated !== source, `${mutant.fault}: ${fault ?? 'no case fails'}`)
  }
  t.comment(`${killed} of ${MUTANTS.length} mutants fail`)
})
