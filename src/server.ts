// The process: settings, listening, signals, and a close that leaves nobody waiting.
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { ConfigError, loadConfig, type Config } from './config.js'
import { createLogger } from './logger.js'

/** sysexits.h: EX_CONFIG, something is wrong with the settings. */
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
  // Thousands of clients may come back at once; the default of 511 would turn some of them away (the kernel caps it by net.core.somaxconn).
  backlog: 4096,
  listenTextResolver: (address) => `server started at ${address.replace('http', 'ws')}, API at ${address}`
}).catch(async (err: unknown) => {
  logger.fatal({ err }, 'server could not start')
  process.exitCode = 1
  await app.close().catch((err: unknown) => logger.fatal({ err }, 'server could not stop'))
  // Not earlier: what fails meanwhile would be printed by Node.js as a whole, past the log.
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
