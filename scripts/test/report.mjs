// What a person sees of a run: a line of progress, each failure as soon as it happens, and a summary.
import { stringify } from 'yaml'

/** tap's diagnostics that help. */
const SHOWN = ['found', 'wanted', 'diff', 'pattern', 'error', 'message', 'code', 'signal', 'expired', 'stack']
/** How often the line of progress is written anew, ms. */
const PROGRESS_INTERVAL_MS = 500

export class Report {
  #jobs
  #stream
  #running = new Set()
  #finished = 0
  #passed = 0
  #failed = 0
  #skips = new Map()
  #failedFiles = new Set()
  #begin = performance.now()

  /** @param jobs all that will run */
  constructor (jobs, stream = process.stdout) {
    this.#jobs = jobs
    this.#stream = stream
    if (stream.isTTY) setInterval(() => this.#progress(), PROGRESS_INTERVAL_MS).unref()
  }

  started (job) { this.#running.add(job.name) }

  passed () { this.#passed++ }

  failure ({ file, names, diagnostics }) {
    this.#failed++
    this.#failedFiles.add(file)
    const { at, stack, ...rest } = diagnostics ?? {}
    const place = at?.fileName ? ` (${at.fileName}:${at.lineNumber})` : ''
    this.#print(`FAILED ${file}${place}\n  ${names.join('\n  > ')}`)
    const shown = Object.entries({ ...rest, ...(stack && { stack: inSources(stack) }) }).filter(([key]) => SHOWN.includes(key))
    if (shown.length > 0) this.#print(indented(stringify(Object.fromEntries(shown), { lineWidth: 0, blockQuote: 'literal' }), '    '))
  }

  finished (job, { passed, failed, skips, output, seconds }) {
    this.#running.delete(job.name)
    this.#finished++
    for (const reason of skips) this.#skips.set(reason, (this.#skips.get(reason) ?? 0) + 1)
    if (failed > 0 && output.trim() !== '') this.#print(`Output of ${job.name}:\n${indented(output, '  | ')}`)
    if (!this.#stream.isTTY) this.#print(`${this.#place()} ${job.name}: ${counts(passed, failed, skips.length)} in ${seconds.toFixed(1)} s`)
  }

  /** @returns whether everything passed */
  summary () {
    const skipped = [...this.#skips.values()].reduce((sum, n) => sum + n, 0)
    if (this.#skips.size > 0) this.#print(`Skipped: ${[...this.#skips].map(([reason, n]) => `${n} × ${reason}`).join('; ')}`)
    if (this.#failedFiles.size > 0) this.#print(`Failed: ${[...this.#failedFiles].join(' ')}`)
    const files = this.#jobs.flatMap((job) => job.files).length
    this.#print(`${counts(this.#passed, this.#failed, skipped)} (${files} files, ${seconds(this.#begin)} s)`)
    return this.#failed === 0
  }

  #place () {
    return `[${String(this.#finished).padStart(String(this.#jobs.length).length)}/${this.#jobs.length}]`
  }

  #progress () {
    const line = `${this.#place()} ${counts(this.#passed, this.#failed)}, ${seconds(this.#begin)} s: ${[...this.#running].join(', ')}`
    this.#stream.write(`\r\x1b[K${line.slice(0, this.#stream.columns - 1)}`)
  }

  #print (text) {
    this.#stream.write(`${this.#stream.isTTY ? '\r\x1b[K' : ''}${text}\n`)
  }
}

const indented = (text, by) => text.trimEnd().replaceAll(/^/gm, by)
/** The lines of a stack that name a source; the others name its compiled form, or the runner. */
const inSources = (stack) => stack.split('\n').filter((line) => /\.ts:\d/.test(line)).join('\n') || stack
const seconds = (begin) => Math.round((performance.now() - begin) / 1000)
const counts = (passed, failed, skipped = 0) => `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
