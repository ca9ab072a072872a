// Reads the records of a segment up to the first one that is not whole, and decides if that is a torn tail or damage.
import { crc32 } from 'node:zlib'
import { HEAD_BYTES, KIND, readSynced } from './records.js'

/** Called for each whole record, in order. @param start of the body @param end of the body */
export type OnRecord = (kind: number, start: number, end: number) => void

/** Highest kind of a record that this version knows. */
const LAST_KIND = Math.max(...Object.values(KIND))

/** @param from start of the first record @returns end of the last whole record */
export function scan (bytes: Buffer, from: number, onRecord: OnRecord): number {
  let at = from
  while (at < bytes.length) {
    const end = endOfRecord(bytes, at)
    if (end === 0) break
    onRecord(bytes[at + HEAD_BYTES]!, at + HEAD_BYTES, end)
    at = end
  }
  return at
}

/** @returns end of the record at this place, or 0 if there is no whole record */
export function endOfRecord (bytes: Buffer, at: number): number {
  if (at + HEAD_BYTES >= bytes.length) return 0
  const length = bytes.readUInt32LE(at)
  const end = at + HEAD_BYTES + length
  if (length === 0 || end > bytes.length) return 0
  return crc32(bytes.subarray(at + HEAD_BYTES, end)) === bytes.readUInt32LE(at + 4) ? end : 0
}

/**
 * True if a record that is not whole cannot be the end of an interrupted write.
 * @param at its start
 * @param isKept true if the kernel has kept all that was written: then a later whole record is enough. After a loss of power the disk may hold a later part of the
 *   file and not an earlier one; then only a later record counts that says that this place was on the disk.
 */
export function isDamage (bytes: Buffer, at: number, isKept: boolean): boolean {
  for (let place = at + 1; place + HEAD_BYTES < bytes.length; place++) {
    const kind = bytes[place + HEAD_BYTES]!
    if (kind === 0 || kind > LAST_KIND || (!isKept && kind !== KIND.synced)) continue
    const end = endOfRecord(bytes, place)
    if (end === 0) continue
    if (isKept || readSynced(bytes.subarray(place + HEAD_BYTES, end)) > at) return true
  }
  return false
}
