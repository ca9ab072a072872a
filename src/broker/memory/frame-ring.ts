// The latest frames of a room, packed into a few pooled buffers. As one object each, frames would be most of what the garbage collector moves.
import type { WireFrame } from '../../websocket/frame-writer.js'
import { release, LARGEST, acquire } from './buffer-pool.js'

interface Piece {
  readonly memory: Buffer
  /** Number of kept frames in `memory`. */
  frames: number
}

/** Frames are numbered from 1, or from a later number. Every frame is copied in and copied out, so the ring owns its buffers and reuses them. */
export class FrameRing {
  readonly #size: number
  readonly #before: number
  /** Piece, start and end of each kept frame, at index (number - 1 - before) modulo the size. */
  readonly #pieces: Piece[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** Number of frames pushed so far. */
  #count = 0
  /** The piece that is being filled, and the number of bytes used in it. */
  #piece: Piece | undefined
  #filled = 0
  /** Total bytes of all pieces acquired so far. */
  #taken = 0

  /**
   * @param size number of frames to keep, 1 or more
   * @param before number in front of that of the first frame
   */
  constructor (size: number, before = 0) {
    this.#size = size
    this.#before = before
  }

  /** Number of kept frames. */
  get length (): number { return this.#pieces.length }

  /** Appends a frame. A full ring drops its oldest frame. */
  push (frame: WireFrame): void {
    const place = this.#count++ % this.#size
    if (this.#pieces.length === this.#size) this.#drop(this.#pieces[place]!)
    const piece = this.#pieceFor(frame.length)
    const start = this.#filled
    piece.memory.set(frame, start)
    piece.frames++
    this.#filled = start + frame.length
    this.#pieces[place] = piece
    this.#starts[place] = start
    this.#ends[place] = this.#filled
  }

  /** @param number the number of a kept frame @returns a copy of the frame */
  get (number: number): WireFrame {
    const place = (number - 1 - this.#before) % this.#size
    return new Uint8Array(this.#pieces[place]!.memory.subarray(this.#starts[place], this.#ends[place]))
  }

  /** Releases all buffers. The ring must not be used afterwards. */
  end (): void {
    for (const piece of new Set(this.#pieces)) release(piece.memory)
    this.#pieces.length = 0
    this.#piece = undefined
  }

  /** Drops one frame of a piece. An empty piece is released, unless it is the one being filled. */
  #drop (piece: Piece): void {
    if (--piece.frames === 0 && piece !== this.#piece) release(piece.memory)
  }

  #pieceFor (length: number): Piece {
    const piece = this.#piece
    if (piece && this.#filled + length <= piece.memory.length) return piece
    if (piece?.frames === 0) release(piece.memory)
    // Each piece is as large as all earlier ones together, up to LARGEST: a room with few events uses little memory.
    const memory = acquire(Math.max(length, Math.min(this.#taken, LARGEST)))
    this.#taken += memory.length
    this.#filled = 0
    const next = { memory, frames: 0 }
    this.#piece = next
    return next
  }
}
