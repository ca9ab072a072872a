// Finds card numbers in strings and numbers, in every usual writing. Evidence beside a number decides in card-data.ts if it is a card's or an identifier.
import { cardCheck, isCard, MAX_DIGITS } from './card-brands.js'
import { plainText, UNUSUAL } from './card-writings.js'

/** Digits of the shortest card number. */
const MIN_DIGITS = 13
/** Digit groups of a card number as printed: 4111 1111 1111 1111 and 6799 9901 0000 0000 019, otherwise 3782 822463 10005, 3056 930902 5904, 4222 222 222 222. */
const FOURS = /^(?:4,){3}(?:[1-4]|4,[1-3])$/
const GROUPINGS: ReadonlySet<string> = new Set(['4,6,5', '4,6,4', '4,3,3,3'])
/** Text between two groups of one number. A comma and a space is a list instead. */
const SEPARATOR = /^(?:\s{1,3}|\s?[-./_]\s?|,)$/

/** A number in a text with the prefix, length and check digit of a card. */
export interface CardNumber {
  /** Offsets of the number in the text. */
  readonly start: number
  readonly end: number
  readonly digits: string
  /** `grouped` as on a card; `bare`: one run of digits, or other groups with no further digits around them; `part` of a longer row of groups. */
  readonly form: 'grouped' | 'bare' | 'part'
}
interface TextRange { readonly start: number, readonly end: number }

const NONE: readonly CardNumber[] = []

// Characters of a card number: digits, and the separators between them. A lookup table, since it is read for each character.
const [DIGIT, BETWEEN] = [1, 2]
const PARTS = new Uint8Array(256)
for (const digit of '0123456789') PARTS[digit.charCodeAt(0)] = DIGIT
for (const separator of ' \t\n\r-./_,') PARTS[separator.charCodeAt(0)] = BETWEEN

/** Checks if a JSON number is a card number. Above 2^53 the parsed digits differ from the sent ones, so such numbers are not checked. */
export function isCardNumber (value: number): boolean {
  if (!Number.isSafeInteger(value) || Math.abs(value) < 10 ** (MIN_DIGITS - 1)) return false
  const digits = String(Math.abs(value))
  return isCard(digits) && !TIME.test(digits)
}

/** Checks if an ASCII text holds a number of {@link cardNumbersIn}. */
export function holdsCardNumber (text: string): boolean { return numbersIn(text) !== NONE }

/**
 * Finds the card numbers of a text: 13–19 digits with the prefix of a brand and a valid check digit (Luhn, ISO/IEC 7812-1), in one run, in groups, with an exponent,
 * in the digits of any script, and with invisible characters in between. They may overlap.
 */
export function cardNumbersIn (text: string): readonly CardNumber[] { return numbersIn(text, unusualNumbersIn) }

/** Finds the numbers of a text with characters other than ASCII. */
function unusualNumbersIn (text: string): readonly CardNumber[] {
  if (!UNUSUAL.test(text)) return numbersIn(text)
  const { plain, origin } = plainText(text)
  return numbersIn(plain).map(({ start, end, digits, form }) => ({ start: origin[start]!, end: origin[end]!, digits, form }))
}

/** Masks numbers of a text, as `411111******1111`: overlapping ones as one, with their digits between the first six and the last four hidden. */
export function maskNumbers (text: string, numbers: readonly CardNumber[]): string {
  let [masked, at] = ['', 0]
  for (const { start, end, digits } of merged(numbers)) {
    masked += text.slice(at, start) + digits.slice(0, 6) + '*'.repeat(Math.max(0, digits.length - 10)) + digits.slice(-4)
    at = end
  }
  return masked + text.slice(at)
}

/** Joins overlapping numbers, in the order of the text. */
function merged (numbers: readonly CardNumber[]): CardNumber[] {
  const joined: CardNumber[] = []
  for (const number of [...numbers].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = joined.at(-1)
    if (last === undefined || number.start >= last.end) joined.push(number)
    else if (number.end > last.end) joined[joined.length - 1] = { ...last, end: number.end, digits: last.digits.slice(0, 6) + number.digits }
  }
  return joined
}

/** Last character of ASCII. */
const ASCII = 0x7f

/** @param inOther finds the numbers instead if a text has other characters than ASCII where a number may be */
function numbersIn (text: string, inOther?: (text: string) => readonly CardNumber[]): readonly CardNumber[] {
  let found: CardNumber[] | undefined
  let others: TextRange[] | undefined
  // A card number has at least thirteen digits, so testing every thirteenth character finds each one.
  for (let at = MIN_DIGITS - 1; at < text.length; at += MIN_DIGITS) {
    const code = text.charCodeAt(at)
    if (inOther && code > ASCII) return inOther(text)
    if (!PARTS[code]) continue
    let start = at
    while (start > 0 && PARTS[text.charCodeAt(start - 1)]) start--
    let end = start
    let digits = 0
    for (; end < text.length; end++) {
      const part = PARTS[text.charCodeAt(end)]
      if (!part) break
      if (part === DIGIT) digits++
    }
    at = end
    if (inOther && (text.charCodeAt(start - 1) > ASCII || text.charCodeAt(end) > ASCII)) return inOther(text)
    if (digits < MIN_MANTISSA) continue
    const numbers = digits >= MIN_DIGITS ? numbersOf(text, start, end, digits) : NONE
    const inExponent = (text.charCodeAt(end) | 0x20) === E ? exponentNumber(text, start) : undefined
    for (const number of inExponent ? [...numbers, inExponent] : numbers) {
      others ??= nonCardRanges(text)
      if (!others.some((range) => range.start < number.end && range.end > number.start)) (found ??= []).push(number)
    }
  }
  return found ?? NONE
}

/** Finds the numbers in a range of digits and separators. @param digits number of digits in it */
function numbersOf (text: string, start: number, end: number, digits: number): readonly CardNumber[] {
  if (digits < end - start) return rowsIn(text, start, end).flatMap((row) => numbersOfRow(text, row))
  return isCard(text, start, end) && !TIME.test(text.slice(start, end)) ? [{ start, end, digits: text.slice(start, end), form: 'bare' }] : NONE
}

const E = 'e'.charCodeAt(0)
/** Digits in front of an exponent from which on it is read. Of card numbers of 16 digits, one in a hundred thousand ends with more zeros than are then missing. */
const MIN_MANTISSA = 12
const EXPONENT = /(?<!\d)(\d)(?:[.,](\d{1,18}))?e\+?(1[2-8])(?!\d)/gi

/** Reads a number with an exponent, as spreadsheets and JSON write large ones. */
function exponentNumber (text: string, from: number): CardNumber | undefined {
  EXPONENT.lastIndex = from
  const match = EXPONENT.exec(text)
  if (!match) return undefined
  const [whole, first, decimals = '', exponent] = match as unknown as [string, string, string | undefined, string]
  const digits = first + decimals.padEnd(Number(exponent), '0')
  return decimals.length <= Number(exponent) && isCard(digits) ? { start: match.index, end: match.index + whole.length, digits, form: 'bare' } : undefined
}

/** Numbers that are a time: seconds or milliseconds of the years 2017–2033, or day, month, year, hour, minute, second. */
const TIME = /^(?:1[5-9]\d{8}(?:\d{3})?|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d\d(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?:\d{3})?)$/
/** Dates and a card's expiry: they end a row of groups. */
const DATE = /(?<!\d[-./]?)(?:\d{4}([-./])\d\d\1\d\d|\d\d([-./])\d\d\2\d{4}|(?:0?[1-9]|1[0-2])[-./](?:20)?\d\d)(?![-./]?\d)/g

/** Neighbouring digit groups, and the dates around them. */
interface Row { readonly groups: TextRange[], readonly dates: readonly TextRange[] }

/** Splits a range into rows of digit groups. A time ends a row, too: many ids are a counter and a time (`412-1705312200000`), and no card is grouped like that. */
function rowsIn (text: string, from: number, to: number): Row[] {
  const dates = [...text.slice(from, to).matchAll(DATE)].map(({ 0: { length }, index }) => ({ start: from + index, end: from + index + length }))
  const rows: Row[] = [{ groups: [], dates }]
  let before = from
  for (const { 0: digits, index } of text.slice(from, to).matchAll(/\d+/g)) {
    const start = from + index
    const isOther = (TIME.test(digits) && text[start - 1] !== ',') || isWithin(dates, start)
    if (isOther || !SEPARATOR.test(text.slice(before, start))) rows.push({ groups: [], dates })
    before = start + digits.length
    if (!isOther) rows.at(-1)!.groups.push({ start, end: before })
  }
  return rows
}
function isWithin (ranges: readonly TextRange[], at: number): boolean { return ranges.some(({ start, end }) => start <= at && at < end) }

/** Finds the numbers in a row: each group alone, and neighbouring groups together. */
function numbersOfRow (text: string, row: Row): CardNumber[] {
  const { groups } = row
  const all = groups.map(({ start, end }) => text.slice(start, end)).join('')
  const numbers: CardNumber[] = []
  if (all.length < MIN_DIGITS) return numbers
  const isCard = cardCheck(all)
  for (let first = 0, from = 0; first < groups.length; first++) {
    const { start } = groups[first]!
    for (let last = first, to = from; last < groups.length; last++) {
      const { end } = groups[last]!
      to += end - groups[last]!.start
      if (to - from > MAX_DIGITS) break
      if (isCard(from, to)) numbers.push({ start, end, digits: all.slice(from, to), form: formOf(text, row, first, last) })
    }
    from += groups[first]!.end - start
  }
  return numbers
}

function formOf (text: string, row: Row, first: number, last: number): CardNumber['form'] {
  if (first === last) return 'bare'
  const groups = row.groups.slice(first, last + 1)
  const lengths = groups.map(({ start, end }) => end - start).join(',')
  const separators = groups.slice(1).map(({ start }, i) => text.slice(groups[i]!.end, start).trim())
  const isPrinted = (FOURS.test(lengths) || GROUPINGS.has(lengths)) && separators.every((separator) => separator === separators[0])
  if (isPrinted && !continues(text, groups, row.dates)) return 'grouped'
  return groups.length === row.groups.length && !isPrinted ? 'bare' : 'part'
}

/** Checks if groups of four go on before or behind a number with the same separator, as in an IBAN or in the key of an invoice (NF-e). */
function continues (text: string, groups: readonly TextRange[], dates: readonly TextRange[]): boolean {
  const [{ start, end }, second] = groups as [TextRange, TextRange]
  if (second.end - second.start !== 4) return false
  const separator = text.slice(end, second.start)
  const behind = groups.at(-1)!.end + separator.length
  const before = start - separator.length
  return (text.startsWith(separator, before) && !isWithin(dates, before - 1) && isFour(/[A-Za-z\d]*$/.exec(text.slice(Math.max(0, before - 5), before))![0])) ||
    (text.startsWith(separator, behind - separator.length) && !isWithin(dates, behind) && isFour(/^[A-Za-z\d]*/.exec(text.slice(behind, behind + 5))![0]))
}
function isFour (group: string): boolean { return group.length === 4 && /\d/.test(group) }

/** Forms of identifiers with long runs of digits; digests have 96 bits and more. */
const NON_CARDS = new RegExp([
  /(?<![\d.])0\.\d+/, // Math.random()
  /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/, // UUID
  /(?<![0-9a-z])(?:0x)?(?=\d*[a-f])[0-9a-f]{24,}(?![0-9a-z])/, // digest
  /(?<!\d)\d{2}\.\d{3}\.\d{3}\/\d{4}-\d{2}(?!\d)/, // CNPJ
  /(?<!\d)\d{5}\.\d{5} \d{5}\.\d{6} \d{5}\.\d{6} \d \d{14}(?!\d)/ // boleto
].map(({ source }) => source).join('|'), 'gi')
const IBAN = /(?<![A-Z\d])[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,4})?(?![A-Z\d])/g
/** Maximum length of a Pix code, characters. */
const MAX_PIX = 512

/** Finds the ranges of a text that are not card numbers, regardless of their digits. */
function nonCardRanges (text: string): TextRange[] {
  const ranges = [...text.matchAll(NON_CARDS)].map(({ 0: match, index }) => ({ start: index, end: index + match.length }))
  for (const { 0: match, index } of text.matchAll(IBAN)) if (isIban(match.replaceAll(' ', ''))) ranges.push({ start: index, end: index + match.length })
  // Fields 62 and 63, the last ones of a Pix code, look like a UnionPay number around a short numeric txid.
  const id = text.search(/br\.gov\.bcb\.pix/i)
  const start = text.lastIndexOf('000201', id)
  if (id > 0 && start >= 0) ranges.push({ start, end: text.lastIndexOf('6304', start + MAX_PIX) + 8 })
  return ranges
}

/** Checks the two check digits of an IBAN (ISO 13616, modulo 97). */
function isIban (iban: string): boolean {
  let rest = 0
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = parseInt(character, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}
