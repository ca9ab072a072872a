// RFC 6455, case by case: on the server's own transport and on the library's, however the bytes are cut.
import t from 'tap'
import { listen } from '../build.js'
import { CASES, LIMIT_CASES } from './cases.js'
import { LIMIT_SETTINGS, SETTINGS } from './settings.js'
import { faultOf, PATHS, runsOf, WAYS } from './exchange.js'
import { inParallel } from './parallel.js'

for (const [what, cases, env] of [['every case', CASES, SETTINGS], ['the limit of a message', LIMIT_CASES, LIMIT_SETTINGS]] as const) {
  t.test(`${what} is answered as it should be, in every way of writing, on both paths`, async (t) => {
    const { app, logs, port } = await listen(t, { env })
    let upgrades = 0
    app.websocketServer.on('connection', () => { upgrades++ })
    const runs = runsOf(cases)
    t.equal(new Set(cases.map(({ id }) => id)).size, cases.length, 'an id for each case')
    const faults: string[] = []
    await inParallel(runs, async (run) => {
      const fault = await faultOf(port, run)
      if (fault !== undefined) faults.push(fault)
    })
    t.strictSame(faults, [])
    // A machine that is slow for a moment may let a connection wait until HTTP has it.
    t.ok(upgrades >= runs.length / 2 && upgrades < runs.length * 0.55, `half of them went through HTTP and ws, the other half past both: ${upgrades} of ${runs.length}`)
    t.strictSame(logs.filter(({ level, msg }) => level > 40 || msg === 'websocket upgrade failed'), [])
    t.comment(`${cases.length} cases, in ${WAYS.length} ways of writing, on ${PATHS.length} paths: ${runs.length} runs`)
  })
}
