// The process's logger: JSON lines in production, otherwise lines for people in the seed's format.
import type { EventEmitter } from 'node:events'
import type { Writable } from 'node:stream'
import { levels, pino, type Bindings, type ChildLoggerOptions, type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { writeUtf8 } from './bytes.js'
import { secretsIn, type Config } from './config.js'
import { LogFields } from './log-fields.js'

/** Bytes of lines that are put together for one write at the most; a pipe takes as much at once. */
const CHUNK = 65_536

/** How long a line may wait for others, ms. */
const WAIT = 10

/** Bytes of lines that are kept while standard output takes none, a full disk for example; what is more is lost. */
const MAX_WAITING = 1_048_576

type LogSettings = Pick<Config, 'NODE_ENV' | 'LOG_LEVEL' | 'REDIS_URL' | 'API_KEYS' | 'TOKEN_SECRET'>

/**
 * @param destination where lines go, standard output where it is left out
 * @returns a pino logger; pretty lines read `[INFO] 2024-01-15T10:30:00.000Z - sentence {"field":"value"}`
 */
export function createLogger (settings: LogSettings, destination: Writable | DestinationStream = standardOutput()): Logger {
  const { NODE_ENV, LOG_LEVEL } = settings
  const fields = new LogFields(secretsIn(settings))
  if (NODE_ENV === 'production') return reducing(fields, { level: LOG_LEVEL }, destination)
  const pretty = prettyFactory({
    // Without them its format knows no names for the levels.
    customLevels: levels.values,
    singleLine: true,
    ignore: 'pid,hostname,time,level',
    messageFormat: '[{levelLabel}] {time} - {msg}',
    colorize: false
  })
  return reducing(fields, { level: LOG_LEVEL, timestamp: () => `,"time":"${new Date().toISOString()}"` }, { write: (line) => destination.write(pretty(line)) })
}

/** A logger that writes of each call, and of what a child logger is given, only what {@link LogFields} leaves of it; so do its children. */
function reducing (fields: LogFields, options: LoggerOptions, destination: DestinationStream): Logger {
  const asItIs = (value: unknown) => value
  const logger: Logger = pino({
    ...options,
    // Reduced already. Without them pino and Fastify would use their own.
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
  // Synchronous: lines that are written while the process ends must still come out, and in order.
  // It takes bytes then; its types know text alone.
  const output = pino.destination({ dest: 1, sync: true, maxLength: MAX_WAITING, contentMode: 'buffer' }) as unknown as EventEmitter & { write: (bytes: Buffer) => boolean }
  // A log that cannot be written is no reason to stop; the next line tries again, unless the reader of a pipe has gone.
  output.on('error', () => {})
  return batchLines(output)
}

/**
 * Collects lines: a write is a call into the system and more, which together cost as much as relaying an event. What a hundredth of a second has to say is one
 * write, also as the process exits; a kill without notice loses as much. They wait as bytes: pino's lines are texts of dozens of pieces, which the garbage
 * collector would follow.
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
    // In UTF-8 it may be three times as long.
    if (line.length * 3 > CHUNK - length) flushSync()
    if (line.length * 3 > CHUNK) {
      output.write(Buffer.from(line))
      return
    }
    if (length === 0) setTimeout(flushSync, WAIT).unref()
    length += writeUtf8(lines, line, length)
  }
  // pino calls the latter at a fatal line.
  return { write, flushSync }
}
