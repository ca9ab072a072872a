// Suggestion for a mistyped word: the name that it resembles most.

/** Characters that may differ, at least, and as a share of the name. */
const FEWEST = 2
const TOLERANCE = 0.3

/** @returns the name nearest to a word, undefined if none resembles it */
export function nearest (word: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const name of names) {
    const distance = edits(word.toLowerCase(), name.toLowerCase())
    if (distance < least && distance <= Math.max(FEWEST, Math.floor(name.length * TOLERANCE))) [best, least] = [name, distance]
  }
  return best
}

/** Text that suggests the nearest name, after this prefix; empty without one. */
export function didYouMean (word: string, names: Iterable<string>, prefix = ''): string {
  const name = nearest(word, names)
  return name === undefined ? '' : `; did you mean ${prefix}${name}?`
}

/** Number of characters to insert, delete or replace in order to make one text of the other (Levenshtein). */
function edits (from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (const [i, character] of [...from].entries()) {
    const next = [i + 1]
    for (let j = 1; j <= to.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (character === to[j - 1] ? 0 : 1)))
    row = next
  }
  return row.at(-1)!
}
