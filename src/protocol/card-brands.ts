// Card numbers of the brands: their prefixes, lengths and check digit.

type Brand = readonly [name: string, prefixes: string, lengths: readonly number[]]

/**
 * Prefixes and lengths of the card numbers of each brand, in digits. The lengths exclude most numbers that are not card numbers.
 * Diners Club: 14 as issued until now, 16–19 in the ranges that Discover routes. Maestro: 16, 18 and 19 in all ranges, other lengths only where they were issued.
 * Elo, Hipercard: only the prefixes outside the ranges above.
 */
export const BRANDS: readonly Brand[] = [
  ['Visa', '4', [13, 16, 19]],
  ['Mastercard', '51-55 2221-2720', [16]],
  ['American Express', '34 37', [15]],
  ['Diners Club', '300-305 3095 36 38-39', [14, 16, 17, 18, 19]],
  ['Discover', '6011 644-649 65', [16, 17, 18, 19]],
  ['JCB', '3528-3589', [16, 17, 18, 19]],
  ['UnionPay', '62 81', [16, 17, 18, 19]],
  ['Maestro', '50 56-58 6333 6390 67', [16, 18, 19]],
  ['Maestro', '5018 5020 5038 5893 6304 6759 6761-6763', [13, 14, 15, 16, 17, 18, 19]],
  ['Elo', '636297 636368', [16]],
  ['Hipercard', '606282 637095 637568 637599 637609 637612', [16, 19]]
]

export const MAX_DIGITS = 19
/** Digits of the longest prefix of a brand. */
const PREFIX = 6
const ZERO = '0'.charCodeAt(0)
/** First and last six-digit prefix of each range, and a bitmask of its lengths. */
const RANGES = BRANDS.flatMap(([, prefixes, lengths]) => prefixes.split(' ').map((range) => {
  const [first, last = first] = range.split('-') as [string, string?]
  return { first: Number(first.padEnd(6, '0')), last: Number(last.padEnd(6, '9')), lengths: lengths.reduce((bits, length) => bits | 1 << length, 0) }
}))

/** Bitmask of the digits that a card number can begin with. */
const FIRST_DIGITS = RANGES.reduce((bits, { first }) => bits | 1 << Math.floor(first / 1e5), 0)

/** Checks if digits of a text are a card number. @param end exclusive */
export function isCard (text: string, start = 0, end = text.length): boolean {
  if (end - start > MAX_DIGITS || (FIRST_DIGITS >> text.charCodeAt(start) - ZERO & 1) === 0) return false
  let sum = 0
  for (let i = end - 1, isDoubled = false; i >= start; i--, isDoubled = !isDoubled) {
    const digit = text.charCodeAt(i) - ZERO
    sum += isDoubled ? doubled(digit) : digit
  }
  return sum % 10 === 0 && isIssued(text, start, end)
}

/** Returns a check if the digits from one offset to another, exclusive, are a card number. All checks of one text share the sums of its digits. */
export function cardCheck (digits: string): (from: number, to: number) => boolean {
  // Sums of the digits in front of each offset, with the digits at even or at odd offsets doubled.
  const sums = [new Uint16Array(digits.length + 1), new Uint16Array(digits.length + 1)] as const
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - ZERO
    sums[i % 2]![i + 1] = sums[i % 2]![i]! + doubled(digit)
    sums[1 - i % 2]![i + 1] = sums[1 - i % 2]![i]! + digit
  }
  return (from, to) => {
    const alternating = sums[to % 2]!
    return (alternating[to]! - alternating[from]!) % 10 === 0 && isIssued(digits, from, to)
  }
}

/** A doubled digit of the check sum (Luhn, ISO/IEC 7812-1). */
function doubled (digit: number): number { return digit > 4 ? digit * 2 - 9 : digit * 2 }

/** Checks the length and the prefix of a number. */
function isIssued (digits: string, from: number, to: number): boolean {
  const length = to - from
  let prefix = 0
  for (let i = from; i < from + PREFIX; i++) prefix = prefix * 10 + digits.charCodeAt(i) - ZERO
  for (const { first, last, lengths } of RANGES) if (prefix >= first && prefix <= last && (lengths >> length & 1) === 1) return true
  return false
}
