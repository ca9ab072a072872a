// Card data, which must not travel here (PCI DSS 3.3–3.5): keys that name it, and card numbers in texts and in numbers.

type Brand = readonly [name: string, prefixes: string, lengths: readonly number[]]

/**
 * Who issues cards under which first digits, and with how many digits. The lengths keep most numbers that are no card apart.
 * Diners: 14 as issued until now, 16–19 in the ranges that Discover routes. Maestro: 16, 18 and 19 in all of it, others only where they were issued.
 * Elo, Hipercard: what of them does not lie in the ranges above.
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
/** First and last prefix of six digits, and a bit for each length. */
const RANGES = BRANDS.flatMap(([, prefixes, lengths]) => prefixes.split(' ').map((range) => {
  const [first, last = first] = range.split('-') as [string, string?]
  return { first: Number(first.padEnd(6, '0')), last: Number(last.padEnd(6, '9')), lengths: lengths.reduce((bits, length) => bits | 1 << length, 0) }
}))

/** The digits that a card number can begin with, a bit for each. */
const FIRST_DIGITS = RANGES.reduce((bits, { first }) => bits | 1 << Math.floor(first / 1e5), 0)

/** The groups in which a card number is written, where it stands among other numbers: 4111 1111 1111 1111, 3782 822463 10005 … */
const GROUPINGS = [[4, 4, 4, 4], [4, 4, 4, 4, 3], [4, 6, 5], [4, 6, 4], [4, 3, 3, 3], [6, 13]]

// Whole names, in the letters and digits that they are made of; what is in brackets may be left out.
const NAMES = [
  '(card)?(cvv|cvc|cvn|csc)(2)?(code|value|number)?', 'cav2', '(card)?securitycode', 'card(security|verification)(code|value|number)',
  '(cvv|cvc)(do)?cartao', 'cod(igo)?(de)?seguranca((do)?cartao)?',
  '(card|full)?pan', 'primaryaccount(number|no)', '(credit|debit)?(card|cc)(number|num|no|nr)', '(numero|num|nr)(do)?cartao((de)?(credito|debito))?',
  'track(1|2|3)(equivalent)?(data)?', 'trackdata', 'mag(netic)?stripe(data)?',
  '(card|encrypted)?pin(block|data)?', 'senha(do)?cartao'
]
// Marks that are characters of their own are separators like any other.
const ACCENTED: Record<string, string> = { a: '[aãáâà]', c: '[cç]', e: '[eéê]', o: '[oóôõ]', u: '[uú]' }
const SEPARATORS = '[^a-z0-9]*'
const spelt = (names: string) => names.replaceAll('(', '(?:').replace(/[a-z0-9]/g, (letter) => (ACCENTED[letter] ?? letter) + SEPARATORS)
const CARD_NAME = new RegExp(`^${SEPARATORS}(?:${spelt(NAMES.join('|'))})$`, 'i')
const CID = new RegExp(`^${SEPARATORS}${spelt('cid')}$`, 'i')
/** Characters in a key that may be such a name. */
const MAX_NAME = 64
/** Keys that were looked at and are no such name: frames have the same few ones, over and over. */
const safeKeyCache = new Set<string>()
const MAX_SAFE_KEYS = 1000

/**
 * Whether a key is called like a card number, a security code, a track or a PIN, however it is spelt. Only a whole name counts: `pinned` is none.
 * @param value what the key stands for. `cid` is a security code on some cards and often something else, so it counts only with three or four digits in a string.
 */
export function isCardDataKey (key: string, value: unknown): boolean {
  if (key.length < 3 || key.length > MAX_NAME || safeKeyCache.has(key)) return false
  if (CARD_NAME.test(key)) return true
  if (CID.test(key)) return typeof value === 'string' && /^\d{3,4}$/.test(value)
  if (safeKeyCache.size < MAX_SAFE_KEYS) safeKeyCache.add(key)
  return false
}

// Characters that a number is written with: digits, and what may stand between two, a space (no-break too) or a dash. A table, for it is asked for each character.
const [DIGIT, SEPARATOR] = [1, 2]
const PARTS = new Uint8Array(256)
for (const digit of '0123456789') PARTS[digit.charCodeAt(0)] = DIGIT
for (const separator of ' \u00a0-') PARTS[separator.charCodeAt(0)] = SEPARATOR

/** Whether a JSON number is a card number. Above 2^53 its digits are not those that were sent, so nothing can be said. */
export function isCardNumber (value: number): boolean {
  if (!Number.isSafeInteger(value) || Math.abs(value) < 10 ** (MIN_DIGITS - 1)) return false
  const digits = String(Math.abs(value))
  return isCard(digits, 0, digits.length)
}

/**
 * Whether a text holds a card number: 13–19 digits with single spaces or dashes between them, an issuer's first digits, and the
 * check digit (Luhn, ISO/IEC 7812-1). Among other numbers it is seen where it is in one piece or grouped as on a card.
 */
export function holdsCardNumber (text: string): boolean {
  let others: TextRange[] | undefined
  // Thirteen digits cover one of every thirteen characters, so the others need not be looked at.
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
    const cards = digits === end - start ? ofCards(text, [{ start, end }]) : cardRanges(text, start, end)
    if (cards.length === 0) continue
    others ??= nonCardRanges(text)
    for (const card of cards) if (!others.some((other) => other.start < card.end && other.end > card.start)) return true
  }
  return false
}

interface TextRange { readonly start: number, readonly end: number }

/** The card numbers in a stretch of digits, spaces and dashes: whole runs, and groups among other groups. */
function cardRanges (text: string, from: number, to: number): TextRange[] {
  return runsIn(text, from, to).flatMap((run) => run.flatMap(({ start }, first) => {
    const fitting = GROUPINGS.filter((grouping) => first + grouping.length <= run.length &&
      grouping.every((length, i) => run[first + i]!.end - run[first + i]!.start === length))
    const counts = [1, ...fitting.map(({ length }) => length), ...(first === 0 ? [run.length] : [])]
    return ofCards(text, counts.map((groups) => ({ start, end: run[first + groups - 1]!.end })))
  }))
}

function ofCards (text: string, stretches: TextRange[]): TextRange[] { return stretches.filter(({ start, end }) => isCard(text, start, end)) }

/** The groups of digits that single spaces or dashes part from each other, run by run. */
function runsIn (text: string, from: number, to: number): TextRange[][] {
  let run: TextRange[] = []
  const runs = [run]
  let before = from
  for (const { 0: digits, index } of text.slice(from, to).matchAll(/\d+/g)) {
    const start = from + index
    // `412-1705312200000`: a counter and a time make up many an id, and no card is written like that.
    const isTime = /^1[5-9]\d{8}(?:\d{3})?$/.test(digits)
    if (isTime || start - before > 1) runs.push(run = [])
    before = start + digits.length
    if (!isTime) run.push({ start, end: before })
  }
  return runs
}

/** Whether the digits of a stretch, all of them, are a card number. The first character is one of them. */
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

// Fractions (`Math.random()`), and random ids in hexadecimal, which have long runs of digits now and then: UUIDs, and digests of 96 bits and more.
const OTHERS = /(?<!\d)0\.\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![0-9a-z])(?:0x)?(?=\d*[a-f])[0-9a-f]{24,}(?![0-9a-z])/gi
/** How long a Pix code can be. */
const MAX_PIX = 512

/** What in a text is no card, whatever its digits are. */
function nonCardRanges (text: string): TextRange[] {
  const others = [...text.matchAll(OTHERS)].map(({ 0: other, index }) => ({ start: index, end: index + other.length }))
  // The last fields of a Pix code, 62 and 63, look like UnionPay around a short numeric txid.
  const id = text.search(/br\.gov\.bcb\.pix/i)
  const start = text.lastIndexOf('000201', id)
  if (id > 0 && start >= 0) others.push({ start, end: text.lastIndexOf('6304', start + MAX_PIX) + 8 })
  return others
}
