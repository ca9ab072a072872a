// Disk: the calls of node:fs that the journal makes, so that a test can let each of them fail.
import fs from 'node:fs'

export type Disk = Pick<typeof fs,
  'openSync' | 'closeSync' | 'readSync' | 'writeSync' | 'fdatasync' | 'fdatasyncSync' | 'fsyncSync' | 'fstatSync' | 'ftruncateSync' | 'mkdirSync' | 'readdirSync' | 'readFileSync' |
  'existsSync' | 'unlinkSync' | 'renameSync' | 'statSync'>

export const SYSTEM_DISK: Disk = fs

/** Writes all bytes at the end of a file. The kernel may take fewer in one call, as on a disk that is getting full. */
export function writeAll (disk: Disk, fd: number, bytes: Uint8Array, length = bytes.length): void {
  for (let at = 0; at < length;) at += disk.writeSync(fd, bytes, at, length - at, null)
}

/** Makes the names of the files in a folder durable. */
export function syncFolder (disk: Disk, dir: string): void {
  const fd = disk.openSync(dir, 'r')
  try {
    disk.fsyncSync(fd)
  } finally {
    disk.closeSync(fd)
  }
}

/** @returns true for an error that says that the disk, or the share of its user, is full */
export function isFullDisk (error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}
