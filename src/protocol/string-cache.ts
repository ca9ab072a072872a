// Names that were read before. Every frame says its room and its device, and they are the same in one frame after the other: to find a name again costs less
// than to make a text of it, to check that, and to hash it where it is looked up.
import type { TString } from '@sinclair/typebox'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import { asciiText } from '../bytes.js'
import { holdsCardNumber } from './card-data.js'
import { bytesEqual } from './byte-match.js'

/** Bytes that are looked at together: as in byte-match.ts, and said here again since V8 takes a constant of another module for a variable. */
const WORD = 4
/** Bits of a hash that say which place a name has. A later one takes the place of another. */
const SLOT_BITS = 11
const SLOTS = 1 << SLOT_BITS
/** A longer one is not remembered, nor one that is shorter than a word. A UUID with something before it fits. */
const LONGEST = 64
/** An odd number whose multiples are all over the place. */
const HASH_MULTIPLIER = 0x9e3779b1

/** Names of one kind. */
export class InternedStrings {
  readonly #check: TypeCheck<TString>
  readonly #names: string[] = new Array<string>(SLOTS).fill('')
  /** Their bytes, each at its place. */
  readonly #bytes = Buffer.alloc(SLOTS * LONGEST)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset)

  /** @param check what a name must be like */
  constructor (check: TypeCheck<TString>) { this.#check = check }

  /**
   * The name in some bytes, which are ASCII: the same string as the last time, as a rule.
   * @param view of the bytes
   * @returns undefined where it must not be a name of this kind, or may be a card number
   */
  read (bytes: Buffer, view: DataView, start: number, end: number): string | undefined {
    const length = end - start
    if (length < WORD || length > LONGEST) return this.#checked(asciiText(bytes, start, end))
    const place = slotOf(view, start, length)
    const known = this.#names[place]!
    if (known.length === length && bytesEqual(view, start, this.#view, place * LONGEST, length)) return known
    const name = this.#checked(asciiText(bytes, start, end))
    if (name !== undefined) {
      this.#names[place] = name
      this.#bytes.write(name, place * LONGEST, 'latin1')
    }
    return name
  }

  #checked (name: string): string | undefined { return this.#check.Check(name) && !holdsCardNumber(name) ? name : undefined }
}

/** A hash of all bytes, of which the upper bits are the best. */
function slotOf (view: DataView, start: number, length: number): number {
  const last = start + length - WORD
  let hash = view.getInt32(last, true)
  for (let at = start; at < last; at += WORD) hash = Math.imul(hash, HASH_MULTIPLIER) + view.getInt32(at, true) | 0
  return Math.imul(hash, HASH_MULTIPLIER) >>> 32 - SLOT_BITS
}
