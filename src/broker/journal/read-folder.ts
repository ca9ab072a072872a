// Reads the folder of a journal without changing it: its rooms, the end of an interrupted write, and the proof that nothing is missing.
import { join } from 'node:path'
import { FileReader, type Disk } from './disk.js'
import { RoomIndex } from './room-index.js'
import { isDamage, scan } from './scan.js'
import { decodeHeader, HEADER_BYTES, JournalError, segmentName, segmentsIn, type SegmentHeader } from './segment-header.js'

export interface ReadOptions {
  readonly dir: string
  readonly disk: Disk
  /** Current boot of the machine; empty if it is not known. */
  readonly bootId: string
  /** True if the last process stopped cleanly. */
  readonly isClean: boolean
  /** True if a write or a sync of the last process has failed: then no file proves anything. */
  readonly hasFailed: boolean
}

export interface FolderContent {
  readonly index: RoomIndex
  /** Sizes of the segments up to their last whole record, by number. */
  readonly sizes: Map<number, number>
  /** End of an interrupted write in the last segment: the place of the first byte that does not count, and the number of these bytes. */
  readonly torn: { readonly segment: number, readonly at: number, readonly bytes: number } | undefined
  /** First segment that is not proven to be on the disk. */
  readonly base: number
  /** True if nothing that was acknowledged can be missing. */
  readonly isComplete: boolean
  /** True if all of it is on the disk. */
  readonly isOnDisk: boolean
}

/** @throws {JournalError} if a segment is missing or damaged, or has a newer format */
export function readFolder (options: ReadOptions): FolderContent {
  const { dir, disk } = options
  const numbers = segmentsIn(disk.readdirSync(dir))
  const index = new RoomIndex()
  const files = new FileReader(disk)
  const sizes = new Map<number, number>()
  const headers: Array<Found> = []
  let torn: FolderContent['torn']
  for (const [i, number] of numbers.entries()) {
    const path = join(dir, segmentName(number))
    const bytes = files.read(path)
    const isLast = i === numbers.length - 1
    if (number !== numbers[0]! + i) throw new JournalError(`${segmentName(numbers[0]! + i)} is missing in ${dir}; restore a backup, or move the folder away to start without rooms`)
    if (isLast && bytes.length < HEADER_BYTES) {
      // The process ended while it began this segment, so that it has no record.
      torn = { segment: number, at: 0, bytes: bytes.length }
      break
    }
    const header = decodeHeader(bytes, path)
    headers.push({ number, header, isCopy: header.inode !== disk.statSync(path).ino })
    const end = scan(bytes, HEADER_BYTES, (kind, start, end) => index.add(kind, bytes, start, end, number))
    if (end < bytes.length) {
      checkTail(bytes, { path, at: end, isLast, header }, options)
      torn = { segment: number, at: end, bytes: bytes.length - end }
    }
    sizes.set(number, end)
  }
  return { index, sizes, torn, ...proofOf(headers, options) }
}

interface Tail { readonly path: string, readonly at: number, readonly isLast: boolean, readonly header: SegmentHeader }

interface Found { readonly number: number, readonly header: SegmentHeader, readonly isCopy: boolean }

/** @throws {JournalError} if the first record that is not whole is not the end of an interrupted write */
function checkTail (bytes: Buffer, { path, at, isLast, header }: Tail, { bootId, isClean, hasFailed }: ReadOptions): void {
  const isKept = header.bootId === bootId && !hasFailed
  if (isLast && !isClean && !isDamage(bytes, at, isKept)) return
  throw new JournalError(`${path} is damaged at byte ${at}; restore a backup, or move the folder away to start without rooms`)
}

/**
 * Nothing is missing after a clean stop, in the same boot of the machine, whose kernel keeps what was written, and where every record was on the disk before it was
 * told. A copy proves nothing: it may be older than the positions of the clients.
 */
function proofOf (found: readonly Found[], { bootId, isClean, hasFailed }: ReadOptions): Pick<FolderContent, 'base' | 'isComplete' | 'isOnDisk'> {
  const base = found.at(-1)?.header.base ?? 1
  const recent = found.filter(({ number }) => number >= base)
  if (hasFailed) return { base, isOnDisk: false, isComplete: false }
  const isOnDisk = isClean || recent.every(({ header }) => header.always)
  const isKept = recent.every(({ header }) => header.always || (bootId !== '' && header.bootId === bootId))
  return { base, isOnDisk, isComplete: (isOnDisk || isKept) && !found.some(({ isCopy }) => isCopy) }
}
