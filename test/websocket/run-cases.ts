// Process that runs cases against a compiled server within it, so that each write is read by itself: `run-cases.js FOLDER GROUP`.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CASES, LIMIT_CASES } from './cases.js'
import { faultOf, runsOf } from './exchange.js'
import { FAST_PATH_OFF } from './mutants.js'
import { inParallel } from './parallel.js'
import { LIMIT_SETTINGS, SETTINGS } from './settings.js'

const [folder, group] = process.argv.slice(2) as [string, string]
const load = async <Module>(name: string) => await import(pathToFileURL(join(folder, name)).href) as Module
const { buildApp } = await load<typeof import('../../src/app.js')>('app.js')
const { loadConfig } = await load<typeof import('../../src/config.js')>('config.js')
const { createLogger } = await load<typeof import('../../src/logger.js')>('logger.js')

const isLimit = group === 'limit'
const config = loadConfig({ NODE_ENV: 'production', ...(isLimit ? LIMIT_SETTINGS : SETTINGS), LOG_LEVEL: 'silent' })
const app = buildApp({ config, logger: createLogger(config) })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as { port: number }
const cases = isLimit ? LIMIT_CASES : CASES.filter(({ id }) => id.startsWith(group))
let fault: string | undefined
await inParallel(runsOf(cases, { paths: ['fast'] }), async (run) => {
  const found = await faultOf(port, run)
  fault ??= found
}, () => fault !== undefined)
// The self-test at the start may find a fault, too: then sockets bypass the parser, and all cases pass.
const { values: [fastPath] } = await app.metrics.fastPath.get()
if (fastPath!.value === 0) fault ??= FAST_PATH_OFF
console.log(fault === undefined ? 'all pass' : `fault: ${fault}`)
process.exit()
