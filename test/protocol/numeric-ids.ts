// Ids that are no card numbers, and the share that is taken for one: for the test of the card-data guard and for its bench.
import { holdsCardNumber } from '../../src/protocol/card-data.js'
import { seeded } from '../seeded.js'

/** Lengths of which the share is measured. */
export const LENGTHS = Array.from({ length: 13 }, (_, i) => i + 8)

/** Generates numbers of so many digits, none of which begins with 0, the same ones for the same seed. */
export function numericIds (digits: number, seed: number): () => string {
  const random = seeded(seed)
  return () => {
    let id = String(1 + Math.floor(random() * 9))
    while (id.length < digits) id += String(Math.floor(random() * 1e9)).padStart(9, '0')
    return id.slice(0, digits)
  }
}

/** @returns the share of random numeric ids that are taken for card numbers, 0–1 */
export function shareRefused (digits: number, count: number, seed: number): number {
  const next = numericIds(digits, seed)
  let refused = 0
  for (let i = 0; i < count; i++) if (holdsCardNumber(next())) refused++
  return refused / count
}
