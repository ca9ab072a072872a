// Expected failures of a command: a sentence for people and an exit code for scripts.

/** Exit codes besides 0. The last three follow sysexits.h and the shell. */
export const EXIT = { refused: 1, usage: 64, unavailable: 69, interrupted: 130 } as const

/** An expected failure, printed as one sentence; any other exception is a bug. */
export class CliError extends Error {
  /** @param code the server's own error code, if the server refused */
  constructor (readonly exit: typeof EXIT[keyof typeof EXIT], message: string, readonly code?: string) { super(message) }
}

/** Creates the error for an invalid command line. */
export const usageError = (message: string): CliError => new CliError(EXIT.usage, message)

/** Returns the message of a network error; some have none, but a cause or a code. */
export function reasonOf (error: unknown): string {
  const { cause, message, code } = error as { cause?: unknown, message?: string, code?: string }
  return cause ? reasonOf(cause) : message || code || String(error)
}
