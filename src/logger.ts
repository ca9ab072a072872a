// The process's logger: JSON lines in production, otherwise lines for people in the seed's format.
import type { Writable } from 'node:stream'
import { pino, type Logger } from 'pino'
import { build as pretty } from 'pino-pretty'
import type { Config } from './config.js'

/**
 * @param destination where lines go, standard output where it is left out
 * @returns a pino logger; pretty lines read `[INFO] 2024-01-15T10:30:00.000Z - sentence {"field":"value"}`
 */
export function createLogger ({ NODE_ENV, LOG_LEVEL }: Pick<Config, 'NODE_ENV' | 'LOG_LEVEL'>, destination?: Writable): Logger {
  // Synchronous, here and below: lines that are written while the process ends must still come out, and in order.
  if (NODE_ENV === 'production') return pino({ level: LOG_LEVEL }, destination ?? pino.destination({ dest: 1, sync: true }))
  const stream = pretty({
    singleLine: true,
    ignore: 'pid,hostname,time,level',
    messageFormat: '[{levelLabel}] {time} - {msg}',
    colorize: false,
    sync: true,
    ...(destination && { destination })
  })
  return pino({ level: LOG_LEVEL, timestamp: () => `,"time":"${new Date().toISOString()}"` }, stream)
}
