// Names that were read before. Every frame says its room and its device, and they are the same in one frame after the other: to find a name again costs less
// than to make a text of it, to check that, and to hash it where it is looked up.
import type { TString } from '@sinclair/typebox'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import { asciiText } from '../bytes.js'
import { holdsCardNumber } from './card-data.js'

/** How many are known at the most; a later one takes the place of another. */
const PLACES = 2048
/** A longer one is not remembered. A UUID with something before it fits. */
const LONGEST = 64

/** Names of one kind. */
export class KnownNames {
  readonly #check: TypeCheck<TString>
  readonly #names: string[] = new Array<string>(PLACES).fill('')
  /** Their bytes, each at its place. */
  readonly #bytes = new Uint8Array(PLACES * LONGEST)

  /** @param check what a name must be like */
  constructor (check: TypeCheck<TString>) { this.#check = check }

  /**
   * The name in some bytes, which are ASCII: the same string as the last time, as a rule.
   * @param hash of these bytes, any
   * @returns undefined where it must not be a name of this kind, or may be a card number
   */
  read (bytes: Buffer, start: number, end: number, hash: number): string | undefined {
    const place = hash & PLACES - 1
    const known = this.#names[place]!
    const length = end - start
    if (known.length === length && this.#isAt(place, bytes, start, length)) return known
    const name = asciiText(bytes, start, end)
    if (!this.#check.Check(name) || holdsCardNumber(name)) return undefined
    if (length > LONGEST) return name
    this.#names[place] = name
    for (let i = 0; i < length; i++) this.#bytes[place * LONGEST + i] = bytes[start + i]!
    return name
  }

  #isAt (place: number, bytes: Buffer, start: number, length: number): boolean {
    const known = this.#bytes
    const first = place * LONGEST
    for (let i = 0; i < length; i++) if (known[first + i] !== bytes[start + i]) return false
    // Where nothing is known yet.
    return length > 0
  }
}
