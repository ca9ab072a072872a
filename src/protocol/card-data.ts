// Detects card data, which must not pass through this server (PCI DSS 3.3–3.5): keys that name it, and card numbers in strings and numbers.

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

const MIN_DIGITS = 13
const MAX_DIGITS = 19
/** First and last six-digit prefix of each range, and a bitmask of its lengths. */
const RANGES = BRANDS.flatMap(([, prefixes, lengths]) => prefixes.split(' ').map((range) => {
  const [first, last = first] = range.split('-') as [string, string?]
  return { first: Number(first.padEnd(6, '0')), last: Number(last.padEnd(6, '9')), lengths: lengths.reduce((bits, length) => bits | 1 << length, 0) }
}))

/** Bitmask of the digits that a card number can begin with. */
const FIRST_DIGITS = RANGES.reduce((bits, { first }) => bits | 1 << Math.floor(first / 1e5), 0)

/** Digit groups of a card number as printed, used to find one among other numbers: 4111 1111 1111 1111, 3782 822463 10005 … */
const GROUPINGS = [[4, 4, 4, 4], [4, 4, 4, 4, 3], [4, 6, 5], [4, 6, 4], [4, 3, 3, 3], [6, 13]]

// Patterns for whole key names, in letters and digits only; groups marked `(…)?` are optional.
const NAMES = [
  '(card)?(cvv|cvc|cvn|csc)(2)?(code|value|number)?', 'cav2', '(card)?securitycode', 'card(security|verification)(code|value|number)',
  '(cvv|cvc)(do)?cartao', 'cod(igo)?(de)?seguranca((do)?cartao)?',
  '(card|full)?pan', 'primaryaccount(number|no)', '(credit|debit)?(card|cc)(number|num|no|nr)', '(numero|num|nr)(do)?cartao((de)?(credito|debito))?',
  'track(1|2|3)(equivalent)?(data)?', 'trackdata', 'mag(netic)?stripe(data)?',
  '(card|encrypted)?pin(block|data)?', 'senha(do)?cartao'
]
// Combining accents, which are characters of their own, match as separators.
const ACCENTED: Record<string, string> = { a: '[aãáâà]', c: '[cç]', e: '[eéê]', o: '[oóôõ]', u: '[uú]' }
const SEPARATORS = '[^a-z0-9]*'
const spellingsOf = (names: string) => names.replaceAll('(', '(?:').replace(/[a-z0-9]/g, (letter) => (ACCENTED[letter] ?? letter) + SEPARATORS)
const CARD_NAME = new RegExp(`^${SEPARATORS}(?:${spellingsOf(NAMES.join('|'))})$`, 'i')
const CID = new RegExp(`^${SEPARATORS}${spellingsOf('cid')}$`, 'i')
/** Longest key that is matched against the names, characters. */
const MAX_NAME = 64
/** Keys that were checked and do not name card data: messages repeat the same few keys. */
const safeKeyCache = new Set<string>()
const MAX_SAFE_KEYS = 1000

/**
 * Checks if a key names a card number, a security code, a track or a PIN, in any spelling. Only a whole name matches: `pinned` does not.
 * @param value value of the key. `cid` is a security code on some cards and often something else, so it matches only with three or four digits in a string.
 */
export function isCardDataKey (key: string, value: unknown): boolean {
  if (key.length < 3 || key.length > MAX_NAME || safeKeyCache.has(key)) return false
  if (CARD_NAME.test(key)) return true
  if (CID.test(key)) return typeof value === 'string' && /^\d{3,4}$/.test(value)
  if (safeKeyCache.size < MAX_SAFE_KEYS) safeKeyCache.add(key)
  return false
}

// Characters of a card number: digits, and the separators between them, a space (also no-break) or a dash. A lookup table, since it is read for each character.
const [DIGIT, SEPARATOR] = [1, 2]
const PARTS = new Uint8Array(256)
for (const digit of '0123456789') PARTS[digit.charCodeAt(0)] = DIGIT
for (const separator of ' \u00a0-') PARTS[separator.charCodeAt(0)] = SEPARATOR

/** Checks if a JSON number is a card number. Above 2^53 the parsed digits differ from the sent ones, so such numbers are not checked. */
export function isCardNumber (value: number): boolean {
  if (!Number.isSafeInteger(value) || Math.abs(value) < 10 ** (MIN_DIGITS - 1)) return false
  const digits = String(Math.abs(value))
  return isCard(digits, 0, digits.length)
}

/**
 * Checks if a text holds a card number: 13–19 digits, optionally with single spaces or dashes between them, the prefix of a brand, and a valid
 * check digit (Luhn, ISO/IEC 7812-1). Among other numbers a card number is found if it is contiguous or grouped as on a card.
 */
export function holdsCardNumber (text: string): boolean {
  let nonCards: TextRange[] | undefined
  // A card number has at least thirteen digits, so testing every thirteenth character finds each one.
  for (let at = MIN_DIGITS - 1; at < text.length; at += MIN_DIGITS) {
    if (!PARTS[text.charCodeAt(at)]) continue
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
    if (digits < MIN_DIGITS) continue
    const cards = digits === end - start ? onlyCards(text, [{ start, end }]) : cardRanges(text, start, end)
    if (cards.length === 0) continue
    nonCards ??= nonCardRanges(text)
    for (const card of cards) if (!nonCards.some((range) => range.start < card.end && range.end > card.start)) return true
  }
  return false
}

interface TextRange { readonly start: number, readonly end: number }

/** Finds the card numbers in a range of digits, spaces and dashes: whole runs, and groups among other groups. */
function cardRanges (text: string, from: number, to: number): TextRange[] {
  return runsIn(text, from, to).flatMap((run) => run.flatMap(({ start }, first) => {
    const fitting = GROUPINGS.filter((grouping) => first + grouping.length <= run.length &&
      grouping.every((length, i) => run[first + i]!.end - run[first + i]!.start === length))
    const counts = [1, ...fitting.map(({ length }) => length), ...(first === 0 ? [run.length] : [])]
    return onlyCards(text, counts.map((groups) => ({ start, end: run[first + groups - 1]!.end })))
  }))
}

function onlyCards (text: string, ranges: TextRange[]): TextRange[] { return ranges.filter(({ start, end }) => isCard(text, start, end)) }

/** Splits a range into runs; a run is a list of digit groups separated by single spaces or dashes. */
function runsIn (text: string, from: number, to: number): TextRange[][] {
  let run: TextRange[] = []
  const runs = [run]
  let before = from
  for (const { 0: digits, index } of text.slice(from, to).matchAll(/\d+/g)) {
    const start = from + index
    // A timestamp ends a run: many ids consist of a counter and a time (`412-1705312200000`), and no card number is grouped like that.
    const isTime = /^1[5-9]\d{8}(?:\d{3})?$/.test(digits)
    if (isTime || start - before > 1) runs.push(run = [])
    before = start + digits.length
    if (!isTime) run.push({ start, end: before })
  }
  return runs
}

/** Checks if all digits of a range together are a card number. The first character must be a digit. */
function isCard (text: string, start: number, end: number): boolean {
  if ((FIRST_DIGITS >> text.charCodeAt(start) - 48 & 1) === 0) return false
  let count = 0
  let sum = 0
  for (let i = end - 1; i >= start; i--) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) continue
    const weighted = count % 2 === 0 ? digit : digit * 2
    sum += weighted > 9 ? weighted - 9 : weighted
    if (++count > MAX_DIGITS) return false
  }
  if (count < MIN_DIGITS || sum % 10 !== 0) return false
  const prefix = Number(text.slice(start, end).replace(/\D/g, '').slice(0, 6))
  return RANGES.some(({ first, last, lengths }) => prefix >= first && prefix <= last && (lengths >> count & 1) === 1)
}

// Fractions (`Math.random()`), and random hexadecimal ids, which sometimes contain long runs of digits: UUIDs, and digests of 96 bits and more.
const NON_CARDS = /(?<!\d)0\.\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![0-9a-z])(?:0x)?(?=\d*[a-f])[0-9a-f]{24,}(?![0-9a-z])/gi
/** Maximum length of a Pix code, characters. */
const MAX_PIX = 512

/** Finds the ranges of a text that are not card numbers, regardless of their digits. */
function nonCardRanges (text: string): TextRange[] {
  const ranges = [...text.matchAll(NON_CARDS)].map(({ 0: match, index }) => ({ start: index, end: index + match.length }))
  // Fields 62 and 63, the last ones of a Pix code, look like a UnionPay number around a short numeric txid.
  const id = text.search(/br\.gov\.bcb\.pix/i)
  const start = text.lastIndexOf('000201', id)
  if (id > 0 && start >= 0) ranges.push({ start, end: text.lastIndexOf('6304', start + MAX_PIX) + 8 })
  return ranges
}
