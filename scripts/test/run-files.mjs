// The process of one job: imports its test files one after the other, so that what they share is loaded once.
// Arguments: the job's name, then the compiled files. With COVERAGE_FOLDER set it leaves there what it has covered.
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { endAll, JOB } from './leftovers.mjs'
import { FILE_TIMEOUT_MS } from './settings.mjs'

const [name, ...files] = process.argv.slice(2)
// tap names the folder of a test's fixtures after the script.
process.argv.splice(1, process.argv.length, name)

// Started by the runner, with which this process and its children end.
process.once('disconnect', () => endAll(process.pid, process.env[JOB]))
process.channel?.unref()

if (process.env.COVERAGE_FOLDER) {
  const { record } = await import('./coverage.mjs')
  record(process.env.COVERAGE_FOLDER)
}

const { default: t } = await import('tap')
/** Imports a file. Between two files tap's root test is idle, and tap ends it then if one of them has given it a teardown: there are more tests to come. */
async function importFile (file) {
  Object.defineProperty(t, 'idle', { configurable: true, value: false })
  try {
    await import(pathToFileURL(file))
  } finally {
    delete t.idle
  }
}
for (const [n, file] of files.entries()) {
  // For the runner.
  t.comment(`file ${n}`)
  // Counted from now on. A file may set another one for itself.
  t.setTimeout(FILE_TIMEOUT_MS)
  await importFile(file)
  if (!t.idle) await once(t, 'idle')
}
t.emit('idle')
