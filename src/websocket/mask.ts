// Masking of client frames (RFC 6455 §5.3): masks and unmasks in place, four bytes at a time.

const MASK_BYTES = 4
/** Unmask 4 bytes at a time only from this length on. */
const WORD_THRESHOLD = 16

/** High bit of each byte in a word, set only in non-ASCII bytes. */
const HIGH_BITS = 0x80808080 | 0

/** Masks and unmasks bytes. One object per server. */
export class Unmasker {
  /** Masking key as one 32-bit word and as bytes; the word has the platform's byte order. */
  readonly #key = new Int32Array(1)
  readonly #keyBytes = new Uint8Array(this.#key.buffer)
  /** Last buffer and its view as words. Sockets share one read buffer, so this cache nearly always hits. */
  #latest: Buffer | undefined
  #words: Int32Array | undefined

  /**
   * Masks or unmasks bytes in place.
   * @param mask index of the masking key in `bytes`
   * @returns true if the resulting bytes are all ASCII
   */
  apply (bytes: Buffer, mask: number, start: number, end: number): boolean {
    const words = end - start >= WORD_THRESHOLD ? this.#wordsOf(bytes) : undefined
    if (!words) return applyByBytes(bytes, mask, start, start, end) < 0x80
    // Single bytes up to the first word boundary, then whole words with the key rotated to match, then the remaining bytes.
    const first = start + MASK_BYTES - 1 >> 2
    const last = end >> 2
    const bits = applyByBytes(bytes, mask, start, start, first << 2) | applyByBytes(bytes, mask, start, last << 2, end)
    for (let i = 0; i < MASK_BYTES; i++) this.#keyBytes[i] = bytes[mask + ((first << 2) - start + i) % MASK_BYTES]!
    const word = this.#key[0]!
    let wordBits = 0
    for (let i = first; i < last; i++) wordBits |= words[i]! ^= word
    return bits < 0x80 && (wordBits & HIGH_BITS) === 0
  }

  #wordsOf (bytes: Buffer): Int32Array | undefined {
    if (bytes !== this.#latest) {
      this.#latest = bytes
      this.#words = bytes.byteOffset % MASK_BYTES === 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2) : undefined
    }
    return this.#words
  }
}

/** @param start start of the masked data @param from first index to process @returns bitwise OR of the resulting bytes */
function applyByBytes (bytes: Buffer, mask: number, start: number, from: number, to: number): number {
  let bits = 0
  for (let i = from; i < to; i++) bits |= bytes[i]! ^= bytes[mask + (i - start) % MASK_BYTES]!
  return bits
}
