// Logger that the rooms need: pino's signature, fields first and then a short sentence.

type Write = (fields: object, sentence: string) => void

export interface Log {
  readonly level: string
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** True if debug lines are written. Checked before the fields are built, so that per-event lines cost nothing when they are off. */
export function writesDebug (log: Log): boolean {
  return log.level === 'debug' || log.level === 'trace'
}
