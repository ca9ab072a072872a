// The mask on what clients send (RFC 6455 §5.3): put on or taken off in place, four bytes at a time.

const MASK_BYTES = 4
/** From as many bytes it pays to look for the words in them. */
const WORD_THRESHOLD = 16

/** The same memory as bytes and as words, of which the platform says which byte comes first. */
const key = new Int32Array(1)
const keyBytes = new Uint8Array(key.buffer)
/** Any byte that is not ASCII has this bit. */
const HIGH_BITS = 0x80808080 | 0

/** Sockets share the memory that they are read into, so it is nearly always the same. */
let latest: Buffer | undefined
let words: Int32Array | undefined

function wordsOf (bytes: Buffer): Int32Array | undefined {
  if (bytes !== latest) {
    latest = bytes
    words = bytes.byteOffset % MASK_BYTES === 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2) : undefined
  }
  return words
}

/**
 * Changes bytes from masked to plain, or back.
 * @param mask where the mask is in them
 * @returns whether all of them are ASCII now
 */
export function applyMask (bytes: Buffer, mask: number, start: number, end: number): boolean {
  const words = end - start >= WORD_THRESHOLD ? wordsOf(bytes) : undefined
  if (!words) return applyMaskByBytes(bytes, mask, start, start, end) < 0x80
  // To where words begin, then word by word with the mask as it lies in them, and what is left.
  const first = start + MASK_BYTES - 1 >> 2
  const last = end >> 2
  const bits = applyMaskByBytes(bytes, mask, start, start, first << 2) | applyMaskByBytes(bytes, mask, start, last << 2, end)
  for (let i = 0; i < MASK_BYTES; i++) keyBytes[i] = bytes[mask + ((first << 2) - start + i) % MASK_BYTES]!
  const word = key[0]!
  let wordBits = 0
  for (let i = first; i < last; i++) wordBits |= words[i]! ^= word
  return bits < 0x80 && (wordBits & HIGH_BITS) === 0
}

/** @param start where the masked data begins @param from where to begin in it @returns the bits that any of the bytes has now */
function applyMaskByBytes (bytes: Buffer, mask: number, start: number, from: number, to: number): number {
  let bits = 0
  for (let i = from; i < to; i++) bits |= bytes[i]! ^= bytes[mask + (i - start) % MASK_BYTES]!
  return bits
}
