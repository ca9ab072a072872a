// What a test process has covered of the sources, in the form that c8 reads. V8's own NODE_V8_COVERAGE would be handed on to every process that a test starts.
import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { COMPILED } from './compile.mjs'

const COUNTED = ['src', 'plugins', 'routes'].map((folder) => pathToFileURL(join(COMPILED, folder)).href + '/')

/** Counts from now on, and leaves a file in the folder when the process exits. */
export function record (folder) {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  process.once('exit', () => {
    session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error) throw new Error('coverage could not be taken', { cause: error })
      const result = coverage.result.filter(({ url }) => COUNTED.some((prefix) => url.startsWith(prefix)))
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `${process.pid}-${Date.now()}.json`), JSON.stringify({ result }))
    })
  })
}
