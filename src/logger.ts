// Logger of the process: JSON lines in production, otherwise human-readable lines in the format of the original specification.
import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import type { Bindings, ChildLoggerOptions, DestinationStream, Logger, LoggerOptions } from 'pino'
import type { prettyFactory } from 'pino-pretty'
import { secretsIn, type Config, type Secrets } from './config.js'
import { LogFields } from './log-fields.js'

/** Maximum bytes of lines in one write; a pipe accepts as much at once. */
const CHUNK = 65_536

/** Maximum time that a line waits for others, ms. */
const WAIT = 10

/** Maximum bytes of lines buffered while standard output accepts none, for example on a full disk; further lines are dropped. */
const MAX_WAITING = 1_048_576

interface PrettyLibrary { readonly prettyFactory: typeof prettyFactory }

const load = createRequire(import.meta.url)
// Required: an import would make Node.js search the text of pino for exports before it runs it.
const { levels, pino } = load('pino') as typeof import('pino')

type LogSettings = Pick<Config, 'NODE_ENV' | 'LOG_LEVEL'> & Secrets

/**
 * @param destination stream for the lines; default: standard output
 * @returns a pino logger; pretty lines read `[INFO] 2024-01-15T10:30:00.000Z - sentence {"field":"value"}`, and are JSON where pino-pretty is not installed
 */
export function createLogger (settings: LogSettings, destination: Writable | DestinationStream = standardOutput()): Logger {
  const { NODE_ENV, LOG_LEVEL } = settings
  const fields = new LogFields(secretsIn(settings))
  if (NODE_ENV === 'production') return reducing(fields, { level: LOG_LEVEL }, destination)
  const library = prettyLibrary()
  if (!library) {
    const logger = reducing(fields, { level: LOG_LEVEL }, destination)
    logger.info('log lines are JSON: for lines for people, npm install pino-pretty')
    return logger
  }
  const pretty = prettyLines(library)
  return reducing(fields, { level: LOG_LEVEL, timestamp: () => `,"time":"${new Date().toISOString()}"` }, { write: (line) => destination.write(pretty(line)) })
}

/** Returns pino-pretty, an optional package: production does without it. */
function prettyLibrary (): PrettyLibrary | undefined {
  try {
    return load('pino-pretty') as PrettyLibrary
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Returns a function that formats a line for people. */
function prettyLines ({ prettyFactory }: PrettyLibrary): ReturnType<typeof prettyFactory> {
  return prettyFactory({
    // pino-pretty needs these for levelLabel in messageFormat: without them levels have no names.
    customLevels: levels.values,
    singleLine: true,
    ignore: 'pid,hostname,time,level',
    messageFormat: '[{levelLabel}] {time} - {msg}',
    colorize: false
  })
}

/** Creates a logger that passes the arguments of each call and the bindings of each child logger through {@link LogFields}; child loggers do the same. */
function reducing (fields: LogFields, options: LoggerOptions, destination: DestinationStream): Logger {
  const asItIs = (value: unknown) => value
  const logger: Logger = pino({
    ...options,
    // LogFields has reduced these fields already. Without identity serializers pino and Fastify would apply their own.
    serializers: { err: asItIs, req: asItIs, res: asItIs },
    hooks: { logMethod (args, method) { method.apply(this, fields.ofCall(args) as typeof args) } }
  }, destination)
  const child = logger.child as unknown as (this: Logger, bindings: Bindings, options?: ChildLoggerOptions) => Logger
  const { setBindings } = logger
  return Object.assign(logger, {
    child (this: Logger, bindings: Bindings, options?: ChildLoggerOptions) { return child.call(this, fields.of(bindings) as Bindings, options) },
    setBindings (this: Logger, bindings: Bindings) { setBindings.call(this, fields.of(bindings) as Bindings) }
  })
}

function standardOutput (): DestinationStream {
  // Synchronous: lines written while the process exits must still be output, and in order.
  // In contentMode 'buffer' the destination accepts bytes; its types declare text only.
  const output = pino.destination({ dest: 1, sync: true, maxLength: MAX_WAITING, contentMode: 'buffer' }) as unknown as EventEmitter & { write: (bytes: Buffer) => boolean }
  // An unwritable log must not stop the process; the next line tries again, unless the reader of a pipe has gone.
  output.on('error', () => {})
  return batchLines(output)
}

/**
 * Batches log lines: a system call and its overhead per line cost as much as relaying an event. The lines of 10 ms become one write; process exit writes the
 * rest, and a SIGKILL loses at most 10 ms of lines. Lines are buffered as bytes: pino builds each from dozens of string pieces, which the garbage collector
 * would have to trace.
 */
export function batchLines (output: { readonly write: (lines: Buffer) => unknown }): DestinationStream & { readonly flushSync: () => void } {
  const lines = Buffer.allocUnsafeSlow(CHUNK)
  let length = 0
  const flushSync = () => {
    if (length === 0) return
    const chunk = Buffer.from(lines.subarray(0, length))
    length = 0
    output.write(chunk)
  }
  process.on('exit', flushSync)
  const write = (line: string) => {
    // UTF-8 takes up to three bytes per UTF-16 unit.
    if (line.length * 3 > CHUNK - length) flushSync()
    if (line.length * 3 > CHUNK) {
      output.write(Buffer.from(line))
      return
    }
    if (length === 0) setTimeout(flushSync, WAIT).unref()
    length += lines.write(line, length)
  }
  // pino calls flushSync() after a fatal line.
  return { write, flushSync }
}
