// Ballast: a file that is deleted when the disk is full, so that what was accepted before has room. It is written again once there is space.
import { join } from 'node:path'
import { isFullDisk, writeAll, type Disk } from './disk.js'

const NAME = 'ballast'

/** Bytes written at once. */
const CHUNK = Buffer.alloc(1_048_576, 'ballast ')

export class Ballast {
  readonly #path: string
  readonly #disk: Disk
  readonly #bytes: number

  /** @param bytes size of the file */
  constructor (dir: string, disk: Disk, bytes: number) {
    this.#path = join(dir, NAME)
    this.#disk = disk
    this.#bytes = bytes
  }

  /** Writes the file if it is missing or too short. @returns false if the disk is too full for it */
  lay (): boolean {
    if (this.#bytes === 0 || this.#disk.statSync(this.#path, { throwIfNoEntry: false })?.size === this.#bytes) return true
    const fd = this.#disk.openSync(this.#path, 'w', 0o600)
    try {
      // Real bytes, not a hole: only they take space.
      for (let left = this.#bytes; left > 0; left -= CHUNK.length) writeAll(this.#disk, fd, CHUNK, Math.min(left, CHUNK.length))
      this.#disk.fdatasyncSync(fd)
      return true
    } catch (error) {
      if (!isFullDisk(error)) throw error
      this.drop()
      return false
    } finally {
      this.#disk.closeSync(fd)
    }
  }

  /** Deletes the file. @returns false if there was none */
  drop (): boolean {
    if (!this.#disk.existsSync(this.#path)) return false
    this.#disk.unlinkSync(this.#path)
    return true
  }
}
