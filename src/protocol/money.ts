// Money: amounts as a JSON number or as decimal text, and as an integer of the minor units of their currency. Currencies are those that Intl knows.

/** An amount as it is sent: `99.9` or `"99.90"`. */
export type Amount = number | string

/** Maximum significant digits of an amount: a double holds fifteen. */
const MAX_DIGITS = 15
/** Minor units of an amount whose currency nobody has named. */
const DEFAULT_DIGITS = 2

/** Decimals of ISO 4217 that Intl leaves out, as cash has none. Payment providers send them, and versions of Intl differ. */
const ISO_DIGITS: ReadonlyMap<string, number> = new Map([...'AFN ALL COP HUF IDR IRR KPW LAK LBP MMK PKR RSD SLL SOS SYP YER'.split(' ').map((code) => [code, 2] as const), ['IQD', 3]])

/** Decimals by currency code, filled on demand; undefined for a code that is no currency. */
const digitsCache = new Map<string, number | undefined>()
let currencies: ReadonlySet<string> | undefined

/**
 * Decimals of a currency (JPY 0, BRL 2, KWD 3), as Intl and ISO 4217 have them.
 * @param currency code of ISO 4217, in either case
 * @returns undefined if Intl does not know the currency
 */
export function currencyDigits (currency: string): number | undefined {
  const code = currency.toUpperCase()
  if (!digitsCache.has(code)) {
    currencies ??= new Set(Intl.supportedValuesOf('currency'))
    // Only known codes are kept: senders choose the others.
    if (!currencies.has(code)) return undefined
    digitsCache.set(code, ISO_DIGITS.get(code) ?? new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions().maximumFractionDigits)
  }
  return digitsCache.get(code)
}

/** True for the schema of a payload that has money. Elsewhere `amount` and `currency` are keys like any other. */
export function hasMoney ({ properties }: { readonly properties: object }): boolean { return 'currency' in properties }

/**
 * Checks the money in a payload that follows its schema.
 * @returns the key that breaks a rule, and the rule
 */
export function moneyFault ({ amount, currency }: { amount?: unknown, currency?: unknown }): { key: 'amount' | 'currency', rule: string } | undefined {
  const digits = typeof currency === 'string' ? currencyDigits(currency) : undefined
  if (typeof currency === 'string' && digits === undefined) return { key: 'currency', rule: 'expected a currency code of ISO 4217' }
  // A number without a currency is relayed as it is: it has no minor unit that it could break.
  if (typeof amount !== 'string' && (typeof amount !== 'number' || digits === undefined)) return undefined
  const { decimals, significant } = shapeOf(amount as Amount)
  if (digits !== undefined && decimals > digits) {
    return { key: 'amount', rule: `expected at most ${digits} decimals, as ${(currency as string).toUpperCase()} has` }
  }
  return significant > MAX_DIGITS ? { key: 'amount', rule: `expected at most ${MAX_DIGITS} significant digits` } : undefined
}

/** Amount in minor units: 99.9 BRL is 9990. Decimals that the currency does not have are rounded. @param amount a valid amount */
export function toMinorUnits (amount: Amount, currency: string | undefined): number {
  return Math.round(shiftPoint(Number(amount), digitsOf(currency)))
}

/** Amount in major units, as it is sent: 9990 minor units of BRL are 99.9. */
export function fromMinorUnits (minor: number, currency: string | undefined): number { return shiftPoint(minor, -digitsOf(currency)) }

/** Multiplies by a power of ten in decimal text: 1.005 × 100 is 100.49999999999999 for a double. */
function shiftPoint (value: number, places: number): number {
  const [mantissa, exponent = '0'] = String(value).split('e')
  return Number(`${mantissa}e${Number(exponent) + places}`)
}

function digitsOf (currency: string | undefined): number { return (currency === undefined ? undefined : currencyDigits(currency)) ?? DEFAULT_DIGITS }

/** Number of decimals and of significant digits, both without zeros at the end. */
function shapeOf (amount: Amount): { decimals: number, significant: number } {
  const [mantissa = '', exponent = '0'] = String(amount).split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = (whole + fraction).replace(/^0+/, '').replace(/0+$/, '')
  const decimals = (fraction.replace(/0+$/, '').length || -trailingZeros(whole)) - Number(exponent)
  return { decimals: Math.max(0, decimals), significant: digits.length }
}

function trailingZeros (digits: string): number { return digits.length - digits.replace(/0+$/, '').length }
