// Encodes frames for clients: a text message becomes one unmasked, unfragmented frame, encoded once for the log and all receivers. Also pings, pongs and closes.
import { FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, LENGTH_16, LENGTH_64, MAX_LENGTH_16, MAX_LENGTH_7 } from './constants.js'
import { writeAscii } from './latin1.js'

const MAX_HEADER_BYTES = 10
const NOTHING = new Uint8Array(0)

/** Chunk size. Frames are encoded one after the other into a chunk, so that frames sent in sequence to a socket are adjacent in memory. */
const CHUNK_BYTES = 16_384

/** Bytes of one frame. Frames never change, so all holders share the same bytes. */
export type WireFrame = Uint8Array

/** Encodes text messages as frames. One object per server. */
export class FrameWriter {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #memory = this.#chunk.buffer
  #offset = 0
  /** The last frame, and the one before it if that is in the same chunk. */
  #lastFrame: WireFrame | undefined
  #previousFrame: WireFrame | undefined
  /** Suffix of the last event in this chunk, as text and as bytes. */
  #lastSuffix: string | undefined
  #lastSuffixBytes: Uint8Array = NOTHING

  /**
   * Encodes a text message.
   * @param text the message as a string, or as UTF-8
   * @param isAscii true for a string that is known to be ASCII, which needs no UTF-8 encoding
   */
  encodeText (text: string | Buffer, isAscii = false): WireFrame {
    // Upper bound for a string: 3 bytes for each UTF-16 code unit. Counting the exact bytes would cost as much as writing them.
    const atMost = MAX_HEADER_BYTES + (typeof text === 'string' && !isAscii ? text.length * 3 : text.length)
    if (!this.#reserve(atMost)) return encodeTextFrame(text)
    const [chunk, start] = [this.#chunk, this.#offset]
    const guess = headerLength(text.length)
    const at = start + guess
    const bytes = typeof text !== 'string' ? text.copy(chunk, at) : isAscii ? writeAscii(chunk, text, at) : chunk.write(text, at)
    const head = headerLength(bytes)
    // Multi-byte characters made the payload longer than the string, so the header is longer than guessed.
    if (head !== guess) chunk.copyWithin(start + head, at, at + bytes)
    writeHeader(chunk, start, bytes)
    return this.#take(start + head + bytes)
  }

  /**
   * Encodes an ASCII event from its parts: joining them first would copy the text twice. Events of a burst mostly share their suffix, whose bytes are copied from
   * the previous event.
   * @param key text in front of the sequence number
   */
  encodeEvent (prefix: string, key: string, seq: number, suffix: string): WireFrame {
    const digits = digitsOf(seq)
    const bytes = prefix.length + key.length + digits + suffix.length
    if (!this.#reserve(MAX_HEADER_BYTES + bytes)) return encodeTextFrame(prefix + key + seq + suffix)
    const chunk = this.#chunk
    let at = this.#offset + headerLength(bytes)
    writeHeader(chunk, this.#offset, bytes)
    at += writeAscii(chunk, prefix, at)
    for (let i = 0; i < key.length; i++) chunk[at++] = key.charCodeAt(i)
    at += digits
    let rest = seq
    for (let i = 1; i <= digits; i++) {
      chunk[at - i] = 0x30 + rest % 10
      rest = Math.floor(rest / 10)
    }
    if (suffix === this.#lastSuffix) {
      chunk.set(this.#lastSuffixBytes, at)
    } else {
      writeAscii(chunk, suffix, at)
      this.#lastSuffix = suffix
      this.#lastSuffixBytes = new Uint8Array(this.#memory, at, suffix.length)
    }
    return this.#take(at + suffix.length)
  }

  /** True if `frame` was encoded right after `other` in the same chunk. Checks only the last two frames by identity: reading `.buffer` of both would cost a runtime call each. */
  isAdjacent (frame: WireFrame, other: WireFrame): boolean { return frame === this.#lastFrame && other === this.#previousFrame }

  /** Reserves space for a frame in one chunk. @returns false if the frame does not fit and is larger than half a chunk: it gets its own buffer and displaces no others */
  #reserve (bytes: number): boolean {
    if (this.#offset + bytes <= CHUNK_BYTES) return true
    if (bytes > CHUNK_BYTES / 2) return false
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#memory = this.#chunk.buffer
    this.#offset = 0
    this.#lastFrame = this.#lastSuffix = undefined
    return true
  }

  /** Returns the frame just written, from the offset to `end`. */
  #take (end: number): WireFrame {
    this.#previousFrame = this.#lastFrame
    // Not a Buffer from `subarray`, which takes more than twice as long.
    this.#lastFrame = new Uint8Array(this.#memory, this.#offset, end - this.#offset)
    this.#offset = end
    return this.#lastFrame
  }
}

/** Encodes a text message in a buffer of its own. @param text the message as a string, or as UTF-8 */
export function encodeTextFrame (text: string | Buffer): Buffer {
  const payload = typeof text === 'string' ? Buffer.from(text) : text
  const head = headerLength(payload.length)
  const frame = Buffer.allocUnsafeSlow(head + payload.length)
  writeHeader(frame, 0, payload.length)
  payload.copy(frame, head)
  return frame
}

function digitsOf (n: number): number {
  let digits = 1
  for (let power = 10; n >= power; power *= 10) digits++
  return digits
}

/** @param bytes length of the payload */
function writeHeader (memory: Buffer, at: number, bytes: number): void {
  // A server does not mask (RFC 6455 §5.1).
  memory[at] = FIN_TEXT
  if (bytes <= MAX_LENGTH_7) {
    memory[at + 1] = bytes
  } else if (bytes <= MAX_LENGTH_16) {
    memory[at + 1] = LENGTH_16
    memory[at + 2] = bytes >>> 8
    memory[at + 3] = bytes & 0xff
  } else {
    memory[at + 1] = LENGTH_64
    memory.writeBigUInt64BE(BigInt(bytes), at + 2)
  }
}

/** Payload of a frame encoded by this file, UTF-8; shares the frame's memory. */
export function payloadOf (frame: WireFrame): Buffer {
  const head = frame[1]! <= MAX_LENGTH_7 ? 2 : frame[1] === LENGTH_16 ? 4 : MAX_HEADER_BYTES
  return Buffer.from(frame.buffer, frame.byteOffset + head, frame.length - head)
}

/** Ping without a payload. */
export const PING_FRAME: WireFrame = Uint8Array.of(FIN_PING, 0)

/** Encodes a pong. @param data payload of the ping to echo, at most 125 bytes (RFC 6455 §5.5) */
export function encodePong (data: Uint8Array): WireFrame { return encodeControl(FIN_PONG, data) }

/** Encodes a close. @param data two bytes of close code and a reason, or empty (RFC 6455 §5.5.1) */
export function encodeClose (data: Uint8Array): WireFrame { return encodeControl(FIN_CLOSE, data) }

function encodeControl (first: number, data: Uint8Array): WireFrame {
  const frame = new Uint8Array(2 + data.length)
  frame[0] = first
  frame[1] = data.length
  frame.set(data, 2)
  return frame
}

function headerLength (bytes: number): number { return bytes <= MAX_LENGTH_7 ? 2 : bytes <= MAX_LENGTH_16 ? 4 : MAX_HEADER_BYTES }
