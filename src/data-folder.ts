// Opens the folder of the journal as the settings say, and reports what it finds.
import type { Clocks } from './clock.js'
import type { Config } from './config.js'
import type { Folder } from './broker/journal/folder.js'
import { JournalError } from './broker/journal/segment-header.js'

export type { Folder } from './broker/journal/folder.js'
export { JournalError } from './broker/journal/segment-header.js'

/** Exit code after a failed write: EX_IOERR of sysexits.h. */
export const EX_IOERR = 74

/** Errors of a folder that another start does not help. */
const USELESS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG', 'EINVAL', 'ENOTSUP'])

type Write = (fields: object, sentence: string) => void

export interface DataFolderOptions extends Clocks {
  readonly config: Pick<Config, 'DATA_DIR' | 'DATA_SYNC'>
  readonly log: Readonly<Record<'info' | 'warn' | 'error' | 'fatal', Write>>
  /** Ends the process. */
  readonly exit: (code: number) => never
}

/**
 * @returns undefined if DATA_DIR is not set
 * @throws {JournalError} if the folder cannot be used as it is; the message is for the operator
 */
export async function openDataFolder (options: DataFolderOptions): Promise<Folder | undefined> {
  const { config: { DATA_DIR, DATA_SYNC }, log, exit, now, monotonic } = options
  if (DATA_DIR === undefined) return undefined
  // Few processes have a journal, and it is a tenth of the server's code.
  const { openFolder } = await import('./broker/journal/folder.js')
  const begin = monotonic()
  try {
    const folder = await openFolder({
      dir: DATA_DIR,
      sync: DATA_SYNC,
      now,
      monotonic,
      onFatal: (err) => {
        log.fatal({ err }, 'journal cannot be written, stopping')
        return exit(EX_IOERR)
      },
      onSpace: (change) => change === 'full' ? log.error({}, 'disk is full: rooms can be read only') : log.info({}, 'disk has space again'),
      onTorn: (tail) => log.warn(tail, 'journal ends with an interrupted write, which was cut off')
    })
    const { isComplete, hasFailed, index: { rooms, closed, events } } = folder
    log.info({ rooms: rooms.size, closed: closed.size, events, ms: Math.round(monotonic() - begin), sync: DATA_SYNC }, 'rooms restored')
    if (hasFailed) log.warn({}, 'the last process could not write to its disk: all segments of the journal were written anew')
    if (!isComplete && rooms.size > 0) log.warn({}, 'the last events may be missing: all rooms have new epochs, and clients get recovered: false')
    return folder
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined || !USELESS.has(code)) throw error
    throw new JournalError(`DATA_DIR cannot be used: ${message}`)
  }
}
