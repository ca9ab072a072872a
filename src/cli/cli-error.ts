// Why a command ends without having done its work: a sentence for people, an exit code for scripts.

/** The exit codes beside 0, the last three as sysexits.h and the shell have them. */
export const EXIT = { refused: 1, usage: 64, unavailable: 69, interrupted: 130 } as const

/** Expected, and so told in one sentence; whatever else is thrown is a bug. */
export class CliError extends Error {
  /** @param code the server's own code, where it is a refusal of the server's */
  constructor (readonly exit: typeof EXIT[keyof typeof EXIT], message: string, readonly code?: string) { super(message) }
}

/** A command line that makes no sense. */
export const usageError = (message: string): CliError => new CliError(EXIT.usage, message)

/** What an error of the network says; some have no words of their own, but a cause or a code. */
export function reasonOf (error: unknown): string {
  const { cause, message, code } = error as { cause?: unknown, message?: string, code?: string }
  return cause ? reasonOf(cause) : message || code || String(error)
}
