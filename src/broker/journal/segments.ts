// Segments: the files of a journal. Records are appended to the last one; an earlier one is deleted once nothing needs it, and all before it are deleted.
import { join } from 'node:path'
import { syncFolder, writeAll, type Disk } from './disk.js'
import { HEAD_BYTES } from './records.js'
import { endOfRecord } from './scan.js'
import { encodeHeader, HEADER_BYTES, JournalError, segmentName, type SegmentHeader } from './segment-header.js'

/** Earlier segments that are open for reading at a time. */
const MAX_OPEN = 16

/** Bytes that one read of a record takes: nearly every record is shorter. */
const READ_BYTES = 4_096

export interface SegmentsOptions {
  readonly dir: string
  readonly disk: Disk
  /** Header of each new segment; its inode is added. */
  readonly header: Omit<SegmentHeader, 'inode'>
  /** Sizes of the segments that exist, by number, in order. */
  readonly sizes: ReadonlyMap<number, number>
}

/** Place of a record: the number of its segment, and its offset there, in one number. */
export type Place = number

const SEGMENT = 2 ** 32

export const placeOf = (segment: number, offset: number): Place => segment * SEGMENT + offset
export const segmentOf = (place: Place): number => Math.floor(place / SEGMENT)

export class Segments {
  readonly #options: SegmentsOptions
  /** Complete segments, and their sizes. */
  readonly #sizes: Map<number, number>
  /** Number of rooms and remembered names that begin in a segment. */
  readonly #pins = new Map<number, number>()
  readonly #readers = new Map<number, number>()
  readonly #memory = Buffer.allocUnsafeSlow(READ_BYTES)
  #number: number
  #size = 0
  #completeBytes: number
  #fd = -1

  constructor (options: SegmentsOptions) {
    this.#options = options
    this.#sizes = new Map(options.sizes)
    this.#number = Math.max(0, ...options.sizes.keys())
    this.#completeBytes = [...options.sizes.values()].reduce((sum, size) => sum + size, 0)
  }

  /** Number and size of the segment that is written. */
  get number (): number { return this.#number }
  get size (): number { return this.#size }
  /** True if there is a segment to write to. */
  get isOpen (): boolean { return this.#fd >= 0 }
  get oldest (): number { return this.#sizes.keys().next().value ?? this.#number }
  get count (): number { return this.#sizes.size + 1 }
  /** Bytes of all segments. */
  get bytes (): number { return this.#completeBytes + this.#size }

  /** Completes the segment that is written, which must be on the disk, and begins the next one. */
  begin (): void {
    const { dir, disk, header } = this.#options
    const path = join(dir, segmentName(this.#number + 1))
    // Fails if the file exists: another process must have made it.
    const fd = disk.openSync(path, 'ax', 0o600)
    try {
      writeAll(disk, fd, encodeHeader({ ...header, inode: disk.fstatSync(fd).ino }))
      disk.fdatasyncSync(fd)
      syncFolder(disk, dir)
    } catch (error) {
      disk.closeSync(fd)
      disk.unlinkSync(path)
      throw error
    }
    this.#complete()
    this.#fd = fd
    this.#number++
    this.#size = HEADER_BYTES
  }

  /** Appends bytes. @param from bytes that an earlier, failed call has written */
  append (bytes: Buffer, from: number, length: number): number {
    const written = this.#options.disk.writeSync(this.#fd, bytes, from, length - from, null)
    this.#size += written
    return written
  }

  sync (): void { this.#options.disk.fdatasyncSync(this.#fd) }

  syncLater (done: (error: Error | null) => void): void { this.#options.disk.fdatasync(this.#fd, done) }

  pin (segment: number): void { this.#pins.set(segment, (this.#pins.get(segment) ?? 0) + 1) }

  unpin (segment: number): void { this.#pins.set(segment, this.#pins.get(segment)! - 1) }

  /** The last of the oldest segments, up to the first one that is still needed; 0 if that is the oldest one. */
  get lastUnused (): number {
    let last = 0
    for (const number of this.#sizes.keys()) {
      if ((this.#pins.get(number) ?? 0) > 0) break
      last = number
    }
    return last
  }

  /** Deletes segments that are not needed. What took their place must be on the disk. @param last of them */
  deleteUpTo (last: number): void {
    for (const [number, size] of this.#sizes) {
      if (number > last) break
      this.#closeReader(number)
      this.#options.disk.unlinkSync(join(this.#options.dir, segmentName(number)))
      this.#sizes.delete(number)
      this.#pins.delete(number)
      this.#completeBytes -= size
    }
  }

  /** Reads the body of a record. Its memory is valid up to the next call. @throws {JournalError} if the record is not as it was written */
  read (place: Place): Buffer {
    const { disk } = this.#options
    const segment = segmentOf(place)
    const fd = this.#readerOf(segment)
    const offset = place % SEGMENT
    const count = disk.readSync(fd, this.#memory, 0, READ_BYTES, offset)
    const length = count < HEAD_BYTES ? 0 : this.#memory.readUInt32LE(0)
    let bytes = this.#memory.subarray(0, count)
    if (HEAD_BYTES + length > count) {
      bytes = Buffer.allocUnsafe(HEAD_BYTES + length)
      disk.readSync(fd, bytes, 0, bytes.length, offset)
    }
    const end = endOfRecord(bytes, 0)
    if (end === 0) throw new JournalError(`a record of ${segmentName(segment)} is damaged`)
    return bytes.subarray(HEAD_BYTES, end)
  }

  /** Closes the earlier segments, which the next read opens again. */
  closeReaders (): void { for (const number of this.#readers.keys()) this.#closeReader(number) }

  close (): void {
    this.closeReaders()
    if (this.#fd >= 0) this.#options.disk.closeSync(this.#fd)
    this.#fd = -1
  }

  #complete (): void {
    if (this.#fd < 0) return
    this.#options.disk.closeSync(this.#fd)
    this.#sizes.set(this.#number, this.#size)
    this.#completeBytes += this.#size
  }

  #readerOf (segment: number): number {
    const open = this.#readers.get(segment)
    if (open !== undefined) return open
    if (this.#readers.size >= MAX_OPEN) this.#closeReader(this.#readers.keys().next().value!)
    const { dir, disk } = this.#options
    const fd = disk.openSync(join(dir, segmentName(segment)), 'r')
    this.#readers.set(segment, fd)
    return fd
  }

  #closeReader (segment: number): void {
    const fd = this.#readers.get(segment)
    if (fd === undefined) return
    this.#readers.delete(segment)
    this.#options.disk.closeSync(fd)
  }
}
