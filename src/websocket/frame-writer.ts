// What travels to a client: a text message as one whole, unmasked WebSocket frame, which is made once for the log and for all who get it; pings and pongs.

import { copyInto, writeAscii } from '../bytes.js'

/** FIN and opcode 1: a whole text message in one frame. A server does not mask (RFC 6455 §5.1). */
const WHOLE_TEXT = 0x81
/** Lengths up to which the first byte, and the next two, say it (RFC 6455 §5.2). */
const SHORT = 125
const MEDIUM = 0xffff
const LONGEST_HEAD = 10

/** Frames are put one behind the other into pieces of this size, so that those that follow each other on their way to a socket are in one piece. */
const SLAB = 16_384
let slab = Buffer.allocUnsafeSlow(SLAB)
let memory = slab.buffer
let used = 0
/** The frame that was made last, and the one before it where that is in the same piece. */
let latest: Frame | undefined
let before: Frame | undefined
/** How an event in this piece ends, as text and as bytes. */
let knownClosing: string | undefined
let closingBytes: Uint8Array

/** A frame, and as no frame changes any more, all who hold one may share it. */
export type Frame = Uint8Array

/**
 * @param text a message, also as UTF-8
 * @param isAscii it is a string that is known to be ASCII, whose bytes need not be made up
 */
export function framed (text: string | Buffer, isAscii = false): Frame {
  // Of a string, as many bytes as it may become at the most: counting them would cost as much as writing them.
  const atMost = LONGEST_HEAD + (typeof text === 'string' && !isAscii ? text.length * 3 : text.length)
  if (!reserve(atMost)) return framedAlone(Buffer.from(text))
  const start = used
  const guess = headLength(text.length)
  const at = start + guess
  const bytes = typeof text !== 'string' ? text.copy(slab, at) : isAscii ? writeAscii(slab, text, at) : slab.write(text, at)
  const head = headLength(bytes)
  // A short text whose letters take more bytes than it has letters.
  if (head !== guess) slab.copyWithin(start + head, at, at + bytes)
  writeHead(slab, start, bytes)
  return frameUpTo(start + head + bytes)
}

/**
 * The same for an event that is all ASCII, from its parts: as one string it would be put together first and copied after that. How it ends, many that come at
 * once have in common, and that is copied from the one before.
 * @param key what the number is put behind
 */
export function framedEvent (opening: string, key: string, seq: number, closing: string): Frame {
  const digits = digitsOf(seq)
  const bytes = opening.length + key.length + digits + closing.length
  if (!reserve(LONGEST_HEAD + bytes)) return framedAlone(Buffer.from(opening + key + seq + closing))
  let at = used + headLength(bytes)
  writeHead(slab, used, bytes)
  at += writeAscii(slab, opening, at)
  for (let i = 0; i < key.length; i++) slab[at++] = key.charCodeAt(i)
  at += digits
  let rest = seq
  for (let i = 1; i <= digits; i++) {
    slab[at - i] = 0x30 + rest % 10
    rest = Math.floor(rest / 10)
  }
  if (closing === knownClosing) {
    copyInto(slab, closingBytes, at)
  } else {
    writeAscii(slab, closing, at)
    knownClosing = closing
    closingBytes = new Uint8Array(memory, at, closing.length)
  }
  return frameUpTo(at + closing.length)
}

function digitsOf (n: number): number {
  let digits = 1
  for (let power = 10; n >= power; power *= 10) digits++
  return digits
}

/** Makes room for a frame in one piece. @returns false where it is so large that it would take the place of many */
function reserve (bytes: number): boolean {
  if (used + bytes <= SLAB) return true
  if (bytes > SLAB / 2) return false
  slab = Buffer.allocUnsafeSlow(SLAB)
  memory = slab.buffer
  used = 0
  latest = knownClosing = undefined
  return true
}

/** The frame that was written behind all others. */
function frameUpTo (end: number): Frame {
  before = latest
  // Not a Buffer by `subarray`, which takes more than twice as long.
  latest = new Uint8Array(memory, used, end - used)
  used = end
  return latest
}

/** Whether a frame follows another one in memory, as far as it was made last: comparing their memories would be a call into the engine for each. */
export function follows (frame: Frame, other: Frame): boolean { return frame === latest && other === before }

function framedAlone (text: Buffer): Frame {
  const head = headLength(text.length)
  const frame = Buffer.allocUnsafeSlow(head + text.length)
  writeHead(frame, 0, text.length)
  text.copy(frame, head)
  return frame
}

/** @param bytes in the message */
function writeHead (memory: Buffer, at: number, bytes: number): void {
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
export function textOf (frame: Frame): Buffer {
  const head = frame[1]! <= SHORT ? 2 : frame[1] === 126 ? 4 : LONGEST_HEAD
  return Buffer.from(frame.buffer, frame.byteOffset + head, frame.length - head)
}

/** A ping without data. */
export const PING: Frame = Uint8Array.of(0x89, 0)

/** The answer to a ping. @param data what it has to repeat, 125 bytes at the most (RFC 6455 §5.5) */
export function pong (data: Uint8Array): Frame { return control(0x8a, data) }

/** A close. @param data the code, two bytes, and a reason; or nothing (RFC 6455 §5.5.1) */
export function closing (data: Uint8Array): Frame { return control(0x88, data) }

function control (first: number, data: Uint8Array): Frame {
  const frame = new Uint8Array(2 + data.length)
  frame[0] = first
  frame[1] = data.length
  frame.set(data, 2)
  return frame
}

function headLength (bytes: number): number { return bytes <= SHORT ? 2 : bytes <= MEDIUM ? 4 : LONGEST_HEAD }
