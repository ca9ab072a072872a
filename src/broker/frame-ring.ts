// The latest frames of a room, one behind the other in a few pieces of memory. As objects they would be what the garbage collector moves most.
import { frameInto, framedLength } from '../protocol/framing.js'

/** Bytes of a room's first piece. Each further one has as many as all before it, up to the largest. */
const FIRST = 1024
const LARGEST = 16_384

/** Frames are counted from 1. Bytes that were handed out are never written again, since they may still be on their way to a socket. */
export class FrameRing {
  readonly #size: number
  /** Of each kept frame, at the place of its number modulo the size: the piece that it is in, and where. A piece goes with the last of its frames. */
  readonly #pieces: Buffer[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** How many there have been. */
  #count = 0
  /** The piece that is being filled, and how far. */
  #piece: Buffer | undefined
  #filled = 0
  /** Bytes of all pieces there ever were. */
  #taken = 0

  /** @param size how many frames are kept, 1 or more */
  constructor (size: number) { this.#size = size }

  /** How many are kept. */
  get length (): number { return this.#pieces.length }

  /** Keeps one more, instead of the oldest where there are enough. @returns the frame */
  push (text: string): Buffer {
    const bytes = Buffer.byteLength(text)
    const length = framedLength(bytes)
    const piece = this.#pieceFor(length)
    const start = this.#filled
    const end = this.#filled += length
    frameInto(piece, start, text, bytes)
    const place = this.#count++ % this.#size
    this.#pieces[place] = piece
    this.#starts[place] = start
    this.#ends[place] = end
    return piece.subarray(start, end)
  }

  /** @param number of a frame that is kept */
  get (number: number): Buffer {
    const place = (number - 1) % this.#size
    return this.#pieces[place]!.subarray(this.#starts[place], this.#ends[place])
  }

  #pieceFor (length: number): Buffer {
    const piece = this.#piece
    if (piece && this.#filled + length <= piece.length) return piece
    const next = Buffer.allocUnsafeSlow(Math.max(length, Math.min(this.#taken || FIRST, LARGEST)))
    this.#piece = next
    this.#filled = 0
    this.#taken += next.length
    return next
  }
}
