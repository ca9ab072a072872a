// Entry point of the server process: settings, listening, signals, and graceful shutdown.
import module from 'node:module'
import { join } from 'node:path'
import type { Config } from './config.js'
import type { Folder } from './data-folder.js'
import { optimizeEarlier, stopOptimizing } from './optimizer.js'
import { ROOT } from './root.js'
import { holdYoungGeneration } from './young-generation.js'

// Keeps compiled code for the next start, where Node.js can (22.1 and later) and the folder is writable: 1 to 4 % of the CPU time of a start. NODE_COMPILE_CACHE names
// another folder. Not the default one, which is shared: its files are code that runs.
const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown }
enableCompileCache?.(join(ROOT, 'node_modules/.cache/ws-payment-server'))
const letYoungGenerationGrow = holdYoungGeneration()
// Imported now: most of the garbage of a start comes from loading modules.
const [{ default: closeWithGrace }, { buildApp }, { SYSTEM_CLOCKS }, { ConfigError, loadConfig }] = await Promise.all([
  import('close-with-grace'), import('./app.js'), import('./clock.js'), import('./config.js')
])
const [{ EX_IOERR, JournalError, openDataFolder }, { provideRouterFunctions }, { createLogger }] = await Promise.all([
  import('./data-folder.js'), import('./http/router-functions.js'), import('./logger.js')
])

/** Exit code for invalid settings, and for a folder that this process must not use: EX_CONFIG of sysexits.h. */
const EX_CONFIG = 78

provideRouterFunctions()
const config = readConfig()
const logger = createLogger(config)
// Before the app is built: reading many rooms may take longer than Fastify allows a plugin.
const folder = await openFolder()
const app = buildApp({ config, logger, folder })

const graceful = closeWithGrace({ delay: config.SHUTDOWN_GRACE_SECONDS * 1000, logger }, async ({ signal, err }) => {
  if (err) logger.fatal({ err }, 'server failed, stopping')
  else logger.info({ signal }, 'server stopping')
  stopOptimizing()
  await app.close()
  logger.info('server stopped')
})

await app.listen({
  port: config.PORT,
  host: config.HOST,
  // Thousands of clients may reconnect at once; the default backlog of 511 would reject some of them (the kernel caps it at net.core.somaxconn).
  backlog: 4096,
  listenTextResolver: (address) => `server started at ${address.replace('http', 'ws')}, API at ${address}`
}).then(onListening, async (err: unknown) => {
  // A setting may need a package that is not installed.
  if (err instanceof ConfigError) console.error(`settings: ${err.message}`)
  else if ((err as NodeJS.ErrnoException).code === 'EADDRINUSE') logger.fatal({ code: 'EADDRINUSE' }, `port ${config.PORT} is in use: stop the process that listens on it, or set PORT to another port`)
  else logger.fatal({ err }, 'server failed to start')
  process.exitCode = err instanceof ConfigError ? EX_CONFIG : 1
  await app.close().catch((err: unknown) => logger.fatal({ err }, 'server failed to stop'))
  // Uninstall last: Node.js would print an error thrown before this point in full, bypassing the log.
  graceful.uninstall()
})

/** Logs the addresses of the pages that people open. */
function onListening (address: string): void {
  letYoungGenerationGrow()
  optimizeEarlier()
  const served = Object.entries({ playground: config.PLAYGROUND, console: config.CONSOLE, docs: config.DOCS }).filter(([, isServed]) => isServed)
  const pages = served.map(([name]) => `${address}/${name}`).join(', ')
  if (pages !== '') logger.info(`pages at ${pages}`)
}

async function openFolder (): Promise<Folder | undefined> {
  try {
    return await openDataFolder({ config, log: logger, exit: process.exit, ...SYSTEM_CLOCKS })
  } catch (error) {
    if (error instanceof JournalError) console.error(`journal: ${error.message}`)
    else logger.fatal({ err: error }, 'journal cannot be read')
    process.exit(error instanceof JournalError ? EX_CONFIG : EX_IOERR)
  }
}

function readConfig (): Config {
  try {
    return loadConfig(process.env, '.env')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(`settings: ${error.message}`)
    process.exit(EX_CONFIG)
  }
}
