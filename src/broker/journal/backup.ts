// Backup of a journal while its server runs: copies of the segments, checked record by record, which begin new epochs when a server starts on them.
import { join } from 'node:path'
import { syncFolder, SYSTEM_DISK, writeAll, type Disk } from './disk.js'
import { scan } from './scan.js'
import { decodeHeader, encodeHeader, HEADER_BYTES, JournalError, segmentName, segmentsIn } from './segment-header.js'

/** Attempts to copy all segments before the running server deletes one of them. */
const ATTEMPTS = 5

/** Inode in the header of a copy: no file has it, so that the copy never passes for the original. */
const NO_INODE = 0

export interface BackupOptions {
  readonly from: string
  /** Folder of the copy: missing or empty. */
  readonly to: string
  readonly disk?: Disk | undefined
}

/** @throws {JournalError} if there is no journal, if a segment is damaged, or if the folder of the copy is not empty */
export function backUp ({ from, to, disk = SYSTEM_DISK }: BackupOptions): { segments: number, bytes: number } {
  disk.mkdirSync(to, { recursive: true, mode: 0o700 })
  if (disk.readdirSync(to).length > 0) throw new JournalError(`${to} is not empty`)
  for (let attempt = 1; ; attempt++) {
    const numbers = segmentsIn(disk.readdirSync(from))
    if (numbers.length === 0) throw new JournalError(`${from} has no journal`)
    try {
      const bytes = numbers.reduce((sum, number, i) => sum + copySegment(disk, { from, to, name: segmentName(number), isLast: i === numbers.length - 1 }), 0)
      syncFolder(disk, to)
      return { segments: numbers.length, bytes }
    } catch (error) {
      for (const name of disk.readdirSync(to)) disk.unlinkSync(join(to, name))
      // The server has deleted a segment meanwhile, after it had written its live rooms into a later one.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === ATTEMPTS) throw error
    }
  }
}

interface Copy { readonly from: string, readonly to: string, readonly name: string, readonly isLast: boolean }

/** @returns bytes of the copy: of the last segment those up to its last whole record */
function copySegment (disk: Disk, { from, to, name, isLast }: Copy): number {
  const path = join(from, name)
  const bytes = disk.readFileSync(path)
  if (bytes.length < HEADER_BYTES && isLast) return 0
  const header = decodeHeader(bytes, path)
  const end = scan(bytes, HEADER_BYTES, () => {})
  if (end < bytes.length && !isLast) throw new JournalError(`${path} is damaged at byte ${end}`)
  encodeHeader({ ...header, inode: NO_INODE }).copy(bytes)
  const fd = disk.openSync(join(to, name), 'wx', 0o600)
  try {
    writeAll(disk, fd, bytes, end)
    disk.fdatasyncSync(fd)
  } finally {
    disk.closeSync(fd)
  }
  return end
}
