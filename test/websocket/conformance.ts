// Conformance to RFC 6455, case by case, on the server's own transport and on the library's.
import t from 'tap'
import { listen } from '../build.js'
import { CASES, LIMIT_CASES, type Case } from './cases.js'
import { LIMIT_SETTINGS, SETTINGS } from './settings.js'
import { faultOf, PATHS, runsOf, type Way } from './exchange.js'
import { inParallel } from './parallel.js'

/** Tests every case on both paths, in these ways of writing. */
export function testConformance (ways: readonly Way[]): void {
  testCases('every case', CASES, SETTINGS, ways)
  testCases('the limit of a message', LIMIT_CASES, LIMIT_SETTINGS, ways)
}

function testCases (what: string, cases: readonly Case[], env: Record<string, string>, ways: readonly Way[]): void {
  t.test(`${what} gets the expected answers, ${ways.join(', ')}, on both paths`, async (t) => {
    const { app, logs, port } = await listen(t, { env })
    let upgrades = 0
    app.websocketServer.on('connection', () => { upgrades++ })
    const runs = runsOf(cases, { ways })
    t.equal(new Set(cases.map(({ id }) => id)).size, cases.length, 'each case has its own id')
    const faults: string[] = []
    await inParallel(runs, async (run) => {
      const fault = await faultOf(port, run)
      if (fault !== undefined) faults.push(fault)
    })
    t.strictSame(faults, [])
    // On a busy machine HTTP may receive a connection first.
    t.ok(upgrades >= runs.length / 2 && upgrades < runs.length * 0.75, `half of the runs went through HTTP and ws, the other half past both: ${upgrades} of ${runs.length}`)
    t.strictSame(logs.filter(({ level, msg }) => level > 40 || msg === 'websocket upgrade failed'), [])
    t.comment(`${cases.length} cases, in ${ways.length} ways of writing, on ${PATHS.length} paths: ${runs.length} runs`)
  })
}
