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

/** Reads whole files into the same memory, one after the other: a new buffer for each large file is collected at the price of reading it. */
export class FileReader {
  readonly #disk: Disk
  #memory = Buffer.alloc(0)

  constructor (disk: Disk) { this.#disk = disk }

  /** @returns content of the file; valid up to the next call */
  read (path: string): Buffer {
    const fd = this.#disk.openSync(path, 'r')
    try {
      const { size } = this.#disk.fstatSync(fd)
      if (size > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(size)
      let length = 0
      for (let count = 1; count > 0 && length < size; length += count) count = this.#disk.readSync(fd, this.#memory, length, size - length, length)
      return this.#memory.subarray(0, length)
    } finally {
      this.#disk.closeSync(fd)
    }
  }
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
