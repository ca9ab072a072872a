// The latest frames of a room, one behind the other in one piece of memory. As objects they would be what the garbage collector moves most.
import { frameInto, framedLength } from '../protocol/framing.js'

/** Bytes that are taken for the first frames. */
const FIRST = 1024

const NOTHING = Buffer.alloc(0)

/**
 * Frames are counted from 1. Bytes that were handed out are never written again, since they may still be on their way to a socket: what has no
 * more room goes into a new piece, along with what is kept.
 */
export class FrameRing {
  readonly #size: number
  /** Where each kept frame begins, at its number modulo the size. It ends where the next one begins. */
  readonly #starts: number[] = []
  /** How many there have been. */
  #count = 0
  #bytes = NOTHING
  /** Positions count all bytes there ever were; these are that of the first byte in the piece of memory, and that of the next frame. */
  #base = 0
  #end = 0

  /** @param size how many frames are kept, 1 or more */
  constructor (size: number) { this.#size = size }

  /** How many are kept. */
  get length (): number { return this.#starts.length }

  /** Keeps one more, instead of the oldest where there are enough. @returns the frame */
  push (text: string): Buffer {
    const bytes = Buffer.byteLength(text)
    const length = framedLength(bytes)
    this.#starts[this.#count++ % this.#size] = this.#end
    if (this.#end - this.#base + length > this.#bytes.length) this.#move(length)
    const at = this.#end - this.#base
    frameInto(this.#bytes, at, text, bytes)
    this.#end += length
    return this.#bytes.subarray(at, at + length)
  }

  /** @param number of a frame that is kept */
  get (number: number): Buffer {
    const end = number === this.#count ? this.#end : this.#start(number + 1)
    return this.#bytes.subarray(this.#start(number) - this.#base, end - this.#base)
  }

  #start (number: number): number { return this.#starts[(number - 1) % this.#size]! }

  #move (more: number): void {
    const first = this.#start(this.#count - this.length + 1)
    const kept = this.#bytes.subarray(first - this.#base, this.#end - this.#base)
    // As much again, so that each byte is moved about once.
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(FIRST, 2 * (kept.length + more)))
    this.#base = first
    kept.copy(this.#bytes)
  }
}
