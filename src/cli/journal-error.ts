// Errors of a journal's folder as errors of the command line.
import { JournalError } from '../broker/journal/segment-header.js'
import { CliError, EXIT } from './cli-error.js'

/** Runs work on a folder. @throws {CliError} if the folder, or a file in it, cannot be used */
export function onFolder<T> (work: () => T): T {
  try {
    return work()
  } catch (error) {
    const isExpected = error instanceof JournalError || (error as NodeJS.ErrnoException).syscall !== undefined
    if (!isExpected) throw error
    throw new CliError(EXIT.refused, (error as Error).message)
  }
}
