// Names for what the server has to tell apart: its clients and its requests.
import { randomFillSync } from 'node:crypto'

/** Bytes in a name. */
const SIZE = 6
/** Random bytes that were not used yet; drawn many at a time, since each draw takes longer than all the rest of a name. */
const stock = Buffer.allocUnsafeSlow(512 * SIZE)
let used = stock.length

/** @returns twelve hexadecimal digits, 48 random bits */
export function shortId (): string {
  if (used === stock.length) {
    randomFillSync(stock)
    used = 0
  }
  used += SIZE
  return stock.toString('hex', used - SIZE, used)
}
