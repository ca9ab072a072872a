// One process of tests, whose TAP is read as it comes, and of which nothing is left when it ends.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Parser } from 'tap-parser'
import { compiledPath, ROOT } from './compile.mjs'
import { endAll, JOB } from './leftovers.mjs'
import { SILENCE_TIMEOUT_MS } from './settings.mjs'

/** Processes that run, by the mark of their jobs. */
const running = new Map()
let jobs = 0
// The runner's own end, but by SIGKILL; after that the processes end themselves (run-files.mjs).
process.on('exit', () => running.forEach(endAll))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

/**
 * Runs the files of a job in one process.
 * @param job its `name` and `files`
 * @param options.coverageFolder where it leaves what it has covered, if anywhere
 * @param options.onPass called for each assertion
 * @param options.onFailure called at once with the file, the names from the test to the assertion, and tap's diagnostics
 * @returns what was counted: assertions `passed` and `failed`, the reasons of `skips`; and its `output` that is no TAP
 */
export async function runJob (job, { coverageFolder, onPass = () => {}, onFailure }) {
  const count = new Count(job.files, { onPass, onFailure })
  const begin = performance.now()
  const mark = `${process.pid}.${++jobs}`
  const child = spawn(process.execPath, ['--enable-source-maps', join(import.meta.dirname, 'run-files.mjs'), job.name, ...job.files.map(compiledPath)], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, [JOB]: mark, ...(coverageFolder && { COVERAGE_FOLDER: coverageFolder }) }
  })
  running.set(mark, child.pid)
  const silence = setTimeout(() => {
    count.fail('silent for too long')
    endAll(child.pid, mark)
  }, SILENCE_TIMEOUT_MS)
  child.stdout.on('data', () => silence.refresh())
  child.stderr.on('data', (text) => { count.output += text })
  child.stdout.pipe(count.parser)
  // On exit and not on close: a process that it left behind would hold its output open.
  child.once('exit', () => endAll(child.pid, mark))
  const [code, signal] = await new Promise((resolve) => child.once('close', (...how) => resolve(how)))
  clearTimeout(silence)
  running.delete(mark)
  if (count.failed === 0 && (code !== 0 || !count.parser.ok)) count.fail(signal ? `ended by ${signal}` : `ended with exit code ${code}`)
  return Object.assign(count, { seconds: (performance.now() - begin) / 1000 })
}

/** Counts the assertions of a process, those of its subtests at any depth among them. */
class Count {
  passed = 0
  failed = 0
  skips = []
  output = ''
  parser = new Parser()
  #file
  #last = []
  #onPass
  #onFailure

  constructor (files, { onPass, onFailure }) {
    this.#file = files[0]
    this.#onPass = onPass
    this.#onFailure = onFailure
    this.#listen(this.parser, [])
    // Written by run-files.mjs as it begins a file.
    this.parser.on('comment', (line) => { this.#file = files[/^# file (\d+)$/.exec(line.trim())?.[1]] ?? this.#file })
  }

  #listen (parser, path) {
    let failedBefore = 0
    parser.on('child', (child) => {
      failedBefore = this.failed
      this.#last = [...path, child.name]
      this.#listen(child, this.#last)
    })
    parser.on('assert', (result) => {
      // A subtest's own line counts only if it failed and nothing in it did.
      if (result.closingTestPoint && (result.ok || this.failed > failedBefore)) return
      if (result.skip) this.skips.push(result.skip === true ? 'no reason given' : result.skip)
      else if (result.ok || result.todo) this.#pass()
      else this.fail(result.name, result.diag, path)
    })
    parser.on('extra', (text) => { this.output += text })
  }

  #pass () {
    this.passed++
    this.#onPass()
  }

  /** Counts a failure and tells it. `path` are the subtests around it; left out, those that were entered last. */
  fail (name, diagnostics, path = this.#last) {
    this.failed++
    this.#onFailure({ file: this.#file, names: [...path, name], diagnostics })
  }
}
