// Buffer pool for room logs. Long-lived buffers that die in old space are the most expensive garbage, so rooms reuse each other's.

/** Smallest and largest pooled buffer, bytes; sizes in between are powers of two. */
const SMALLEST = 1024
export const LARGEST = 16_384

/** Upper bound of free buffers per size: as many as a busy second needs, without hoarding memory. */
const MAX_FREE = 256

const pool = new Map<number, Buffer[]>()

/** @param bytes minimum length. Up to LARGEST the length is rounded up to a power of two; beyond it the length is exact and the buffer is not pooled. */
export function acquire (bytes: number): Buffer {
  const size = bytes > LARGEST ? bytes : Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)))
  return pool.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size)
}

/** Returns a buffer to the pool. The caller must hold no reference to its bytes. */
export function release (piece: Buffer): void {
  if (piece.length > LARGEST) return
  const pieces = pool.get(piece.length)
  if (!pieces) pool.set(piece.length, [piece])
  else if (pieces.length < MAX_FREE) pieces.push(piece)
}
