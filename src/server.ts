// Entry point of the server process: settings, listening, signals, and graceful shutdown.
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { ConfigError, loadConfig, type Config } from './config.js'
import { createLogger } from './logger.js'

/** Exit code for invalid settings: EX_CONFIG of sysexits.h. */
const EX_CONFIG = 78

const config = readConfig()
const logger = createLogger(config)
const app = buildApp({ config, logger })

const graceful = closeWithGrace({ delay: config.SHUTDOWN_GRACE_SECONDS * 1000, logger }, async ({ signal, err }) => {
  if (err) logger.fatal({ err }, 'server failed, stopping')
  else logger.info({ signal }, 'server stopping')
  await app.close()
  logger.info('server stopped')
})

await app.listen({
  port: config.PORT,
  host: config.HOST,
  // Thousands of clients may reconnect at once; the default backlog of 511 would reject some of them (the kernel caps it at net.core.somaxconn).
  backlog: 4096,
  listenTextResolver: (address) => `server started at ${address.replace('http', 'ws')}, API at ${address}`
}).catch(async (err: unknown) => {
  // A setting may need a package that is not installed.
  if (err instanceof ConfigError) console.error(`settings: ${err.message}`)
  else logger.fatal({ err }, 'server failed to start')
  process.exitCode = err instanceof ConfigError ? EX_CONFIG : 1
  await app.close().catch((err: unknown) => logger.fatal({ err }, 'server failed to stop'))
  // Uninstall last: Node.js would print an error thrown before this point in full, bypassing the log.
  graceful.uninstall()
})

function readConfig (): Config {
  try {
    return loadConfig(process.env, '.env')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(`settings: ${error.message}`)
    process.exit(EX_CONFIG)
  }
}
