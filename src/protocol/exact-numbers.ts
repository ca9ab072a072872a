// Finds JSON numbers that parsing changes: integers beyond 2^53 - 1, and digits that a double does not hold. They would be relayed as other numbers.

/** A string or a number of a JSON text. Strings come first, so that digits in them are no numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** Numbers of up to fifteen digits without an exponent are exact, so most texts need no second look. */
const SUSPECT = /\d[\d.]{15}|\d[eE][+-]?\d/

/**
 * Finds a number that the parsed text does not hold exactly.
 * @param text valid JSON
 * @returns keys from the root to the number; undefined if all numbers are exact
 */
export function inexactNumberPath (text: string): string[] | undefined {
  if (!SUSPECT.test(text)) return undefined
  const mark = 'inexact number'
  let found = false
  // Marked in the text and parsed again: a number whose key stands twice may not be part of the result.
  const marked = text.replace(TOKENS, (token) => {
    if (token.startsWith('"') || isExact(token)) return token
    found = true
    return `{${JSON.stringify(mark)}:0}`
  })
  return found ? pathTo(mark, JSON.parse(marked)) : undefined
}

/** Compares the digits and the exponent of a number as written with those of the double. */
function isExact (token: string): boolean {
  const value = Number(token)
  // Infinity (1e400) has a rule of its own in limits.ts.
  if (!Number.isFinite(value)) return true
  return normalForm(token) === normalForm(String(value)) && (Number.isSafeInteger(value) || !Number.isInteger(value) || /[eE.]/.test(token))
}

/** Sign, significant digits and exponent of a decimal number, in one spelling for each value. */
function normalForm (token: string): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token)!
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

function pathTo (mark: string, value: unknown): string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, mark)) return []
  for (const [key, child] of Object.entries(value)) {
    const path = pathTo(mark, child)
    if (path) return [key, ...path]
  }
  return undefined
}
