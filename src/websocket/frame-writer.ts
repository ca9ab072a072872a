// What travels to a client: a text message as one whole, unmasked WebSocket frame, which is made once for the log and for all who get it; pings and pongs.

import { copyInto, writeAscii } from '../bytes.js'

/** FIN and opcode 1: a whole text message in one frame. A server does not mask (RFC 6455 §5.1). */
const WHOLE_TEXT = 0x81
/** Lengths up to which the first byte, and the next two, say it (RFC 6455 §5.2). */
const SHORT = 125
const MEDIUM = 0xffff
const MAX_HEADER_BYTES = 10

/** Frames are put one behind the other into pieces of this size, so that those that follow each other on their way to a socket are in one piece. */
const CHUNK_BYTES = 16_384
let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
let chunkMemory = chunk.buffer
let offset = 0
/** The frame that was made last, and the one before it where that is in the same piece. */
let lastFrame: WireFrame | undefined
let previousFrame: WireFrame | undefined
/** How an event in this piece ends, as text and as bytes. */
let lastSuffix: string | undefined
let lastSuffixBytes: Uint8Array

/** A frame, and as no frame changes any more, all who hold one may share it. */
export type WireFrame = Uint8Array

/**
 * @param text a message, also as UTF-8
 * @param isAscii it is a string that is known to be ASCII, whose bytes need not be made up
 */
export function encodeTextFrame (text: string | Buffer, isAscii = false): WireFrame {
  // Of a string, as many bytes as it may become at the most: counting them would cost as much as writing them.
  const atMost = MAX_HEADER_BYTES + (typeof text === 'string' && !isAscii ? text.length * 3 : text.length)
  if (!reserve(atMost)) return encodeLargeFrame(Buffer.from(text))
  const start = offset
  const guess = headerLength(text.length)
  const at = start + guess
  const bytes = typeof text !== 'string' ? text.copy(chunk, at) : isAscii ? writeAscii(chunk, text, at) : chunk.write(text, at)
  const head = headerLength(bytes)
  // A short text whose letters take more bytes than it has letters.
  if (head !== guess) chunk.copyWithin(start + head, at, at + bytes)
  writeHeader(chunk, start, bytes)
  return takeFrame(start + head + bytes)
}

/**
 * The same for an event that is all ASCII, from its parts: as one string it would be put together first and copied after that. How it ends, many that come at
 * once have in common, and that is copied from the one before.
 * @param key what the number is put behind
 */
export function encodeEventFrame (opening: string, key: string, seq: number, closing: string): WireFrame {
  const digits = digitsOf(seq)
  const bytes = opening.length + key.length + digits + closing.length
  if (!reserve(MAX_HEADER_BYTES + bytes)) return encodeLargeFrame(Buffer.from(opening + key + seq + closing))
  let at = offset + headerLength(bytes)
  writeHeader(chunk, offset, bytes)
  at += writeAscii(chunk, opening, at)
  for (let i = 0; i < key.length; i++) chunk[at++] = key.charCodeAt(i)
  at += digits
  let rest = seq
  for (let i = 1; i <= digits; i++) {
    chunk[at - i] = 0x30 + rest % 10
    rest = Math.floor(rest / 10)
  }
  if (closing === lastSuffix) {
    copyInto(chunk, lastSuffixBytes, at)
  } else {
    writeAscii(chunk, closing, at)
    lastSuffix = closing
    lastSuffixBytes = new Uint8Array(chunkMemory, at, closing.length)
  }
  return takeFrame(at + closing.length)
}

function digitsOf (n: number): number {
  let digits = 1
  for (let power = 10; n >= power; power *= 10) digits++
  return digits
}

/** Makes room for a frame in one piece. @returns false where it is so large that it would take the place of many */
function reserve (bytes: number): boolean {
  if (offset + bytes <= CHUNK_BYTES) return true
  if (bytes > CHUNK_BYTES / 2) return false
  chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  chunkMemory = chunk.buffer
  offset = 0
  lastFrame = lastSuffix = undefined
  return true
}

/** The frame that was written behind all others. */
function takeFrame (end: number): WireFrame {
  previousFrame = lastFrame
  // Not a Buffer by `subarray`, which takes more than twice as long.
  lastFrame = new Uint8Array(chunkMemory, offset, end - offset)
  offset = end
  return lastFrame
}

/** Whether a frame follows another one in memory, as far as it was made last: comparing their memories would be a call into the engine for each. */
export function isAdjacent (frame: WireFrame, other: WireFrame): boolean { return frame === lastFrame && other === previousFrame }

function encodeLargeFrame (text: Buffer): WireFrame {
  const head = headerLength(text.length)
  const frame = Buffer.allocUnsafeSlow(head + text.length)
  writeHeader(frame, 0, text.length)
  text.copy(frame, head)
  return frame
}

/** @param bytes in the message */
function writeHeader (memory: Buffer, at: number, bytes: number): void {
  memory[at] = WHOLE_TEXT
  if (bytes <= SHORT) {
    memory[at + 1] = bytes
  } else if (bytes <= MEDIUM) {
    memory[at + 1] = 126
    memory[at + 2] = bytes >>> 8
    memory[at + 3] = bytes & 0xff
  } else {
    memory[at + 1] = 127
    memory.writeBigUInt64BE(BigInt(bytes), at + 2)
  }
}

/** The message in a frame that was made here, UTF-8: the same bytes. */
export function payloadOf (frame: WireFrame): Buffer {
  const head = frame[1]! <= SHORT ? 2 : frame[1] === 126 ? 4 : MAX_HEADER_BYTES
  return Buffer.from(frame.buffer, frame.byteOffset + head, frame.length - head)
}

/** A ping without data. */
export const PING_FRAME: WireFrame = Uint8Array.of(0x89, 0)

/** The answer to a ping. @param data what it has to repeat, 125 bytes at the most (RFC 6455 §5.5) */
export function encodePong (data: Uint8Array): WireFrame { return encodeControl(0x8a, data) }

/** A close. @param data the code, two bytes, and a reason; or nothing (RFC 6455 §5.5.1) */
export function encodeClose (data: Uint8Array): WireFrame { return encodeControl(0x88, data) }

function encodeControl (first: number, data: Uint8Array): WireFrame {
  const frame = new Uint8Array(2 + data.length)
  frame[0] = first
  frame[1] = data.length
  frame.set(data, 2)
  return frame
}

function headerLength (bytes: number): number { return bytes <= SHORT ? 2 : bytes <= MEDIUM ? 4 : MAX_HEADER_BYTES }
