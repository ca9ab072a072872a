// Test runner: it counts the results of its processes, reports a failure with its file, and leaves no process running.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { until } from '../until.js'

interface Failure { file: string, names: string[], diagnostics?: { at?: object } }
interface Result { passed: number, failed: number, skips: string[], output: string }
type RunJob = (job: { name: string, files: string[] }, options: { onFailure: (failure: Failure) => void }) => Promise<Result>
const { runJob } = await import(join(ROOT, 'scripts/test/process.mjs')) as { runJob: RunJob }

const PASSES = `import t from 'tap'
t.test('outer', async (t) => {
  t.pass('one')
  await t.test('inner', async (t) => { t.pass('two') })
  t.test('not here', { skip: 'no moon' }, async () => {})
})`
const FAILS = `import t from 'tap'
t.test('outer', async (t) => {
  t.pass('one')
  await t.test('inner', async (t) => { t.equal(1, 2, 'is two') })
  console.log('a word on the way')
})`
/** Starts two processes that would outlive the test, one of them in a process group of its own, writes their ids to a file, and is killed. */
const KILLED = `import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import t from 'tap'
t.test('outer', async (t) => {
  t.pass('one')
  const children = [false, true].map((detached) => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'inherit', detached }))
  writeFileSync(import.meta.dirname + '/children', children.map(({ pid }) => pid).join())
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50)
  await new Promise((resolve) => setTimeout(resolve, 60_000))
})`

/** Those of its processes that must be gone: without /proc the one in a group of its own is not found. */
const childrenIn = (folder: string): number[] => {
  try {
    const children = readFileSync(join(folder, 'children'), 'utf8').split(',').map(Number)
    return existsSync('/proc/self/environ') ? children : children.slice(0, 1)
  } catch { return [] }
}
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch { return false }
}

t.test('the runner counts the assertions of all files of a job, and the reasons of skipped tests', async (t) => {
  const folder = t.testdir({ 'a.test.js': PASSES, 'b.test.js': PASSES })
  const result = await runJob({ name: 'job', files: [join(folder, 'a.test.js'), join(folder, 'b.test.js')] }, { onFailure: ({ names }) => t.fail(names.join()) })
  t.match(result, { passed: 4, failed: 0, skips: ['no moon', 'no moon'] })
})

t.test('files behind one that gives the root test a teardown run as well, however long they take to load', async (t) => {
  const first = `import t from 'tap'
    import { writeFileSync } from 'node:fs'
    t.teardown(() => writeFileSync(import.meta.dirname + '/ended', ''))
    t.test('outer', async (t) => { t.pass('one') })`
  const second = `import t from 'tap'
    import { existsSync } from 'node:fs'
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.test('later', async (t) => { t.notOk(existsSync(import.meta.dirname + '/ended'), 'the root test has not ended') })`
  const folder = t.testdir({ 'a.test.js': first, 'b.test.js': second })
  const result = await runJob({ name: 'job', files: [join(folder, 'a.test.js'), join(folder, 'b.test.js')] }, { onFailure: ({ names }) => t.fail(names.join()) })
  t.match(result, { passed: 2, failed: 0 })
  t.ok(existsSync(join(folder, 'ended')), 'it ends behind the last file')
})

t.test('a failure is reported with its file and all its names, and the output of its process is kept', async (t) => {
  const folder = t.testdir({ 'a.test.js': PASSES, 'b.test.js': FAILS })
  const failures: Failure[] = []
  const result = await runJob({ name: 'job', files: [join(folder, 'a.test.js'), join(folder, 'b.test.js')] }, { onFailure: (failure) => failures.push(failure) })
  t.match(result, { passed: 3, failed: 1 })
  t.match(result.output, /a word on the way/)
  t.match(failures, { length: 1, 0: { file: /b\.test\.js$/, names: ['outer', 'inner', 'is two'], diagnostics: { at: Object } } })
})

t.test('a killed process or a file that does not load is a failure, and its child processes are ended', async (t) => {
  const folder = t.testdir({ 'killed.test.js': KILLED, 'missing.test.js': "import './nowhere.js'" })
  for (const [file, name] of [['killed', 'ended by SIGKILL'], ['missing', /Cannot find module/]] as const) {
    const failures: Failure[] = []
    await runJob({ name: 'job', files: [join(folder, `${file}.test.js`)] }, { onFailure: (failure) => failures.push(failure) })
    t.match(failures, { length: 1, 0: { file: new RegExp(file) } })
    t.match(failures[0]!.names.at(-1), name)
  }
  const children = childrenIn(folder)
  t.ok(children.length > 0)
  await until('the child processes are gone', () => !children.some(isAlive))
})

t.test('the processes end when the runner is killed', async (t) => {
  const folder = t.testdir({ 'long.test.js': KILLED.replace(', 50)', ', 60_000)') })
  const runner = spawn(process.execPath, ['--input-type=module', '-e', `
    import { runJob } from ${JSON.stringify(join(ROOT, 'scripts/test/process.mjs'))}
    await runJob({ name: 'job', files: [${JSON.stringify(join(folder, 'long.test.js'))}] }, { onFailure: () => {} })`], { stdio: 'ignore' })
  await until('the test has started its child processes', () => childrenIn(folder).length > 0)
  runner.kill('SIGKILL')
  await once(runner, 'exit')
  const children = childrenIn(folder)
  await until('the child processes are gone', () => !children.some(isAlive))
})
