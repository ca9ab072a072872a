// Segment files: their names, and the header that says which format they have and what proves that nothing in them is missing.
import { crc32 } from 'node:zlib'

/** Header of a segment, bytes. */
export const HEADER_BYTES = 64

/** Format that this version writes. Older ones are read; a newer one stops the start. Since 2 there are kept values, alone and within other records. */
export const FORMAT = 2

/** `WSPJ`. */
const MAGIC = 0x4a505357

/** Bytes of the boot id in the header. */
const BOOT_ID_BYTES = 36

export interface SegmentHeader {
  /** True if every record was on the disk before anything of it was told. */
  readonly always: boolean
  /** Boot of the machine in which the segment was written. */
  readonly bootId: string
  /** Number of the file on its file system: a copy has another one. */
  readonly inode: number
  /** Segments before this number were complete when the process started, and are on the disk. */
  readonly base: number
}

/** A folder that the server must not touch as it is. The message says what to do, and is for the operator. */
export class JournalError extends Error { override readonly name = 'JournalError' }

export function segmentName (number: number): string { return `${String(number).padStart(12, '0')}.log` }

/** @param names of the files in a folder @returns numbers of the segments, in order */
export function segmentsIn (names: readonly string[]): number[] {
  return names.flatMap((name) => /^\d{12}\.log$/.test(name) ? [Number(name.slice(0, 12))] : []).sort((a, b) => a - b)
}

export function encodeHeader ({ always, bootId, inode, base }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt16LE(FORMAT, 4)
  bytes[6] = always ? 1 : 0
  bytes.write(bootId, 8, BOOT_ID_BYTES, 'latin1')
  bytes.writeDoubleLE(inode, 44)
  bytes.writeDoubleLE(base, 52)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  return bytes
}

/** @throws {JournalError} if this version cannot read the segment */
export function decodeHeader (bytes: Buffer, name: string): SegmentHeader {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) throw new JournalError(`${name} is not a segment of a journal`)
  const format = bytes.readUInt16LE(4)
  if (format > FORMAT) throw new JournalError(`${name} has format ${format} of a newer version; this version reads up to format ${FORMAT}. Start the newer version`)
  if (crc32(bytes.subarray(0, HEADER_BYTES - 4)) !== bytes.readUInt32LE(HEADER_BYTES - 4)) throw new JournalError(`the header of ${name} is damaged`)
  return {
    always: bytes[6] === 1,
    bootId: bytes.toString('latin1', 8, 8 + BOOT_ID_BYTES).replace(/\0+$/, ''),
    inode: bytes.readDoubleLE(44),
    base: bytes.readDoubleLE(52)
  }
}
