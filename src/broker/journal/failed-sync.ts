// Failed syncs: the kernel may have dropped what it could not write, while it still shows it to readers, and a later sync reports success. A mark in the folder tells the
// next start, which trusts no file: it writes all of them anew.
import { join } from 'node:path'
import { isFullDisk, syncFolder, writeAll, type Disk } from './disk.js'
import { scan } from './scan.js'
import { decodeHeader, encodeHeader, HEADER_BYTES, JournalError, segmentName } from './segment-header.js'

/** Name of the mark. */
export const FAILED = 'failed'

/** A disk that leaves the mark when a sync fails, or a write because the disk is broken. Nobody calls either again: see {@link Journal}. */
export function markingFailures (disk: Disk, dir: string): Disk {
  const marked = <T>(call: () => T, isFailure = (_error: unknown) => true): T => {
    try {
      return call()
    } catch (error) {
      if (isFailure(error)) mark(disk, dir)
      throw error
    }
  }
  return {
    ...disk,
    writeSync: ((...args: Parameters<Disk['writeSync']>) => marked(() => disk.writeSync(...args), (error) => !isFullDisk(error))) as Disk['writeSync'],
    fdatasyncSync: (fd) => marked(() => disk.fdatasyncSync(fd)),
    fsyncSync: (fd) => marked(() => disk.fsyncSync(fd)),
    fdatasync: ((fd: number, done: (error: Error | null) => void) => disk.fdatasync(fd, (error) => {
      if (error) mark(disk, dir)
      done(error)
    })) as Disk['fdatasync']
  }
}

export function isMarked (disk: Disk, dir: string): boolean { return disk.existsSync(join(dir, FAILED)) }

export function removeMark (disk: Disk, dir: string): void {
  disk.unlinkSync(join(dir, FAILED))
  syncFolder(disk, dir)
}

/**
 * Writes segments anew, so that the disk has what their readers see.
 * @param sizes of the segments by number
 * @throws {JournalError} if a segment is not as it was read before, or if there is no space
 */
export function writeAnew (disk: Disk, dir: string, sizes: Iterable<readonly [number: number, size: number]>): void {
  try {
    for (const [number, size] of sizes) rewrite(disk, join(dir, segmentName(number)), size)
    syncFolder(disk, dir)
  } catch (error) {
    if (isFullDisk(error)) throw new JournalError(`${dir} has no space to write its segments anew, which a failed write requires`)
    throw error
  }
}

function rewrite (disk: Disk, path: string, size: number): void {
  const bytes = disk.readFileSync(path)
  if (scan(bytes, HEADER_BYTES, () => {}) !== size) throw new JournalError(`${path} is damaged; restore a backup, or move the folder away to start without rooms`)
  const fd = disk.openSync(`${path}.new`, 'w', 0o600)
  try {
    encodeHeader({ ...decodeHeader(bytes, path), inode: disk.fstatSync(fd).ino }).copy(bytes)
    writeAll(disk, fd, bytes)
    disk.fdatasyncSync(fd)
  } finally {
    disk.closeSync(fd)
  }
  disk.renameSync(`${path}.new`, path)
}

/** Leaves the mark, if the disk takes it. Otherwise it takes no new segment either, and the next start ends with that error. */
function mark (disk: Disk, dir: string): void {
  try {
    const fd = disk.openSync(join(dir, FAILED), 'w', 0o600)
    try {
      disk.fsyncSync(fd)
    } finally {
      disk.closeSync(fd)
    }
    syncFolder(disk, dir)
  } catch { /* the error that is being reported says more */ }
}
