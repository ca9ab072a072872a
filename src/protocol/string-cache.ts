// Direct-mapped cache from bytes to interned strings, for room and device ids. Every message repeats both ids; a hit skips decoding and validation, and the
// cached string already has its hash for later lookups.
import type { TString } from '@sinclair/typebox'
import { holdsCardNumber } from './card-numbers.js'
import type { Check } from './compiled-checks.js'

/** Bytes compared at a time. */
const WORD = 4
/** Bits of a hash that select the slot of a string. A newer string replaces an older one in the same slot. */
const SLOT_BITS = 11
const SLOTS = 1 << SLOT_BITS
/** Longest cached string, bytes; strings shorter than one word are not cached either. A UUID with a prefix fits. */
const LONGEST = 64
/** Fibonacci hashing constant (2^32 / φ). */
const HASH_MULTIPLIER = 0x9e3779b1

/** Cache of the ids of one kind. */
export class InternedStrings {
  readonly #isValid: Check<TString>
  readonly #names: string[] = new Array<string>(SLOTS).fill('')
  /** Bytes of the cached strings, each in its slot. */
  readonly #bytes = Buffer.alloc(SLOTS * LONGEST)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset)

  /** @param isValid validates an id of this kind */
  constructor (isValid: Check<TString>) { this.#isValid = isValid }

  /**
   * Reads an id from ASCII bytes, from the cache if it holds the id.
   * @param view DataView of the bytes
   * @returns undefined if the id is invalid, or may be a card number
   */
  read (bytes: Buffer, view: DataView, start: number, end: number): string | undefined {
    const length = end - start
    if (length < WORD || length > LONGEST) return this.#checked(bytes.toString('latin1', start, end))
    const slot = slotOf(view, start, length)
    const cached = this.#names[slot]!
    if (cached.length === length && bytesEqual(view, start, this.#view, slot * LONGEST, length)) return cached
    const name = this.#checked(bytes.toString('latin1', start, end))
    if (name !== undefined) {
      this.#names[slot] = name
      this.#bytes.write(name, slot * LONGEST, 'latin1')
    }
    return name
  }

  #checked (name: string): string | undefined { return this.#isValid(name) && !holdsCardNumber(name) ? name : undefined }
}

/** Multiplicative hash of all bytes; its upper bits, which are mixed best, select the slot. */
function slotOf (view: DataView, start: number, length: number): number {
  const last = start + length - WORD
  let hash = view.getInt32(last, true)
  for (let at = start; at < last; at += WORD) hash = Math.imul(hash, HASH_MULTIPLIER) + view.getInt32(at, true) | 0
  return Math.imul(hash, HASH_MULTIPLIER) >>> 32 - SLOT_BITS
}

/** Compares the bytes at two offsets. @param length bytes to compare, at least four */
export function bytesEqual (first: DataView, firstAt: number, second: DataView, secondAt: number, length: number): boolean {
  const last = length - WORD
  for (let i = 0; i < last; i += WORD) if (first.getInt32(firstAt + i, true) !== second.getInt32(secondAt + i, true)) return false
  return first.getInt32(firstAt + last, true) === second.getInt32(secondAt + last, true)
}
