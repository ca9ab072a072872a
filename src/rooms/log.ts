// What the rooms need of a logger: pino's shape, fields first and then a short sentence.

type Write = (fields: object, sentence: string) => void

export interface Log {
  readonly level: string
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** Whether debug lines are written; asked once, so that per-event lines cost nothing where they are off. */
export function writesDebug (log: Log): boolean {
  return log.level === 'debug' || log.level === 'trace'
}
