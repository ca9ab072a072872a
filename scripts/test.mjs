// Runs the tests: `npm test` the quick ones, `npm run test:full` the long ones, `npm test -- FILE|FOLDER…` those that are named. Plain JavaScript, since it
// compiles them first. Options: --jobs=N processes at a time; --coverage for `npm run coverage`, added to that of the run before with --long.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compile, ROOT } from './test/compile.mjs'
import { choose, plan } from './test/plan.mjs'
import { runJob } from './test/process.mjs'
import { Report } from './test/report.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { long: { type: 'boolean', default: false }, coverage: { type: 'boolean', default: false }, jobs: { type: 'string' } }
})
const jobs = plan(choose(positionals, values))
const coverageFolder = values.coverage ? join(ROOT, '.tap/coverage') : undefined
if (coverageFolder && !values.long) rmSync(coverageFolder, { recursive: true, force: true })

// Tests that start processes start what ships.
for (const script of ['build.mjs', 'client.mjs']) {
  const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts', script), '--if-stale'], { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}
await compile()

const report = new Report(jobs)
const waiting = [...jobs]
/** Takes one job after the other. */
async function work () {
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    report.started(job)
    report.finished(job, await runJob(job, {
      coverageFolder,
      onPass: () => report.passed(),
      onFailure: (failure) => report.failure(failure)
    }))
  }
}
// More than there are processors, since tests wait for much of their time; the long ones load several processors each at times.
const atATime = Number(values.jobs ?? (values.long ? availableParallelism() + 1 : availableParallelism() * 2))
await Promise.all(Array.from({ length: atATime }, work))
process.exit(report.summary() ? 0 : 1)
