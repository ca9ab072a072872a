// Writings of digits and separators other than ASCII, in every script.

/** Parts of a number other than ASCII: digits of any script, spaces, dashes and dots of any width, and invisible characters and marks (zero-width space, keycap). */
export const UNUSUAL = /(?![\0-\x7f])[\p{Nd}\p{No}\p{Zs}\p{Pd}\p{DI}\p{Cf}\p{M}\u2212\u00b7\u2022\uff0c\uff0e\uff0f]/u
const INVISIBLE = /^[\p{DI}\p{Cf}\p{M}]$/u
const FORMS: ReadonlyArray<readonly [RegExp, string]> = [[/^\p{Zs}$/u, ' '], [/^[\p{Pd}\u2212]$/u, '-'], [/^[\u00b7\u2022\uff0e]$/, '.'], [/^\uff0c$/, ','], [/^\uff0f$/, '/']]

/** Writes the parts of numbers in ASCII. @returns the text, and for each of its offsets the one in the original */
export function plainText (text: string): { plain: string, origin: number[] } {
  const origin: number[] = []
  let [plain, at] = ['', 0]
  for (const character of text) {
    const written = UNUSUAL.test(character) ? asciiOf(character) : character
    for (let i = 0; i < written.length; i++) origin.push(at)
    plain += written
    at += character.length
  }
  origin.push(at)
  return { plain, origin }
}

function asciiOf (character: string): string {
  if (INVISIBLE.test(character)) return ''
  const compatible = character.normalize('NFKC')
  if (/^\d$/.test(compatible)) return compatible
  // Scripts have their ten digits in order; the digit before the first one of a script belongs to none.
  if (/^\p{Nd}$/u.test(character)) return String([...Array(10).keys()].findIndex((value) => !/^\p{Nd}$/u.test(String.fromCodePoint(character.codePointAt(0)! - value - 1))))
  return FORMS.find(([form]) => form.test(character))?.[1] ?? character
}
