// Short random ids for clients and requests.
import { randomFillSync } from 'node:crypto'

/** Bytes in an id. */
const SIZE = 6
/** Unused random bytes, drawn for 512 ids at a time: each draw takes longer than the rest of an id. */
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
