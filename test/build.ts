// App for tests: with settings of the test, and log lines that the test can read.
import { Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config.js'
import type { Folder } from '../src/data-folder.js'
import { createLogger } from '../src/logger.js'
import { freePort } from './free-port.js'

export interface LogLine { level: number, msg: string, [field: string]: unknown }

export interface BuildOptions {
  /** Settings that differ from the defaults. */
  readonly env?: Record<string, string>
  readonly now?: () => number
  readonly monotonic?: () => number
  /** Folder of the journal, if the test has opened it. */
  readonly folder?: Folder
  /** Changes the app before it is ready, as a host with additions of its own does. */
  readonly prepare?: (app: FastifyInstance) => void
}

/** Builds a ready app that closes with the test. `logs` grows as the app logs. */
export async function build (t: Test, { env, now, monotonic, folder, prepare }: BuildOptions = {}): Promise<{ app: FastifyInstance, logs: LogLine[] }> {
  const logs: LogLine[] = []
  const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'debug', SHUTDOWN_GRACE_SECONDS: '2', REQUESTS_PER_SECOND: '0', MESSAGES_PER_SECOND: '0', ...env })
  const logger = createLogger(config, new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      logs.push(JSON.parse(line) as LogLine)
      done()
    }
  }))
  const app = buildApp({ config, logger, folder, ...(now && { now }), ...(monotonic && { monotonic }) })
  t.teardown(() => app.close())
  prepare?.(app)
  await app.ready()
  return { app, logs }
}

/** Builds an app that listens on a free loopback port, which a test can use again for the next app. Its end does not wait for the spare connections of `fetch`. */
export async function listen (t: Test, options: BuildOptions = {}): Promise<{ app: FastifyInstance, logs: LogLine[], url: string, port: number }> {
  const { app, logs } = await build(t, options)
  const port = await freePort()
  await app.listen({ port, host: '127.0.0.1' })
  t.teardown(async () => {
    const sweep = setInterval(() => app.server.closeAllConnections(), 20)
    await app.close()
    clearInterval(sweep)
  })
  return { app, logs, url: `ws://127.0.0.1:${port}`, port }
}
