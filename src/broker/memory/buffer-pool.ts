// Memory for the logs of rooms, in pieces that go from one to another. What lives long and dies is the dearest garbage; this is never any.

/** Bytes of the smallest piece and of the largest; between them are the powers of two. */
const SMALLEST = 1024
export const LARGEST = 16_384

/** Pieces of one size that wait for a room, at most: as much as a busy second takes, and no hoard. */
const MAX_FREE = 256

const pool = new Map<number, Buffer[]>()

/** @param bytes that it must have, at least. Up to the largest it gets a power of two of them, beyond that as many as it must. */
export function acquire (bytes: number): Buffer {
  const size = bytes > LARGEST ? bytes : Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)))
  return pool.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size)
}

/** Gives back a piece that nobody reads any more. */
export function release (piece: Buffer): void {
  if (piece.length > LARGEST) return
  const pieces = pool.get(piece.length)
  if (!pieces) pool.set(piece.length, [piece])
  else if (pieces.length < MAX_FREE) pieces.push(piece)
}
