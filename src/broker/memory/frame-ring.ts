// The latest frames of a room, one behind the other in a few pieces of memory. As objects they would be what the garbage collector moves most.
import { copyInto } from '../../bytes.js'
import type { WireFrame } from '../../websocket/frame-writer.js'
import { release, LARGEST, acquire } from './buffer-pool.js'

interface Piece {
  readonly memory: Buffer
  /** How many of the kept frames are in it. */
  frames: number
}

/** Frames are counted from 1. What comes in and goes out is copied, so the memory is the ring's alone and is used again. */
export class FrameRing {
  readonly #size: number
  /** Of each kept frame, at the place of its number modulo the size: the piece that it is in, and where. */
  readonly #pieces: Piece[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** How many there have been. */
  #count = 0
  /** The piece that is being filled, and how far. */
  #piece: Piece | undefined
  #filled = 0
  /** Bytes of all pieces that there ever were. */
  #taken = 0

  /** @param size how many frames are kept, 1 or more */
  constructor (size: number) { this.#size = size }

  /** How many are kept. */
  get length (): number { return this.#pieces.length }

  /** Keeps one more, instead of the oldest where there are enough. */
  push (frame: WireFrame): void {
    const place = this.#count++ % this.#size
    if (this.#pieces.length === this.#size) this.#drop(this.#pieces[place]!)
    const piece = this.#pieceFor(frame.length)
    const start = this.#filled
    copyInto(piece.memory, frame, start)
    piece.frames++
    this.#filled = start + frame.length
    this.#pieces[place] = piece
    this.#starts[place] = start
    this.#ends[place] = this.#filled
  }

  /** @param number of a frame that is kept @returns a copy of it */
  get (number: number): WireFrame {
    const place = (number - 1) % this.#size
    return new Uint8Array(this.#pieces[place]!.memory.subarray(this.#starts[place], this.#ends[place]))
  }

  /** Gives up all memory. Nothing may be asked of it after that. */
  end (): void {
    for (const piece of new Set(this.#pieces)) release(piece.memory)
    this.#pieces.length = 0
    this.#piece = undefined
  }

  /** A frame is kept no longer. The piece that is being filled stays, though nothing may be left in it. */
  #drop (piece: Piece): void {
    if (--piece.frames === 0 && piece !== this.#piece) release(piece.memory)
  }

  #pieceFor (length: number): Piece {
    const piece = this.#piece
    if (piece && this.#filled + length <= piece.memory.length) return piece
    if (piece?.frames === 0) release(piece.memory)
    // Each has as many bytes as all before it, up to the largest: a room with few events takes little.
    const memory = acquire(Math.max(length, Math.min(this.#taken, LARGEST)))
    this.#taken += memory.length
    this.#filled = 0
    const next = { memory, frames: 0 }
    this.#piece = next
    return next
  }
}
