// A text message as it travels to a client: one whole, unmasked WebSocket frame. It is made once, for the log and for all who get it.

/** FIN and opcode 1: a whole text message in one frame. A server does not mask (RFC 6455 §5.1). */
const WHOLE_TEXT = 0x81
/** Lengths up to which the first byte, and the next two, say it (RFC 6455 §5.2). */
const SHORT = 125
const MEDIUM = 0xffff

/** Frames are put one behind the other into pieces of this size, so that those that follow each other on their way to a socket are in one piece. */
const SLAB = 16_384
let slab = Buffer.allocUnsafeSlow(SLAB)
let used = 0

/** @param text a message, also as UTF-8 */
export function framed (text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.byteLength(text) : text.length
  const length = headLength(bytes) + bytes
  if (used + length > slab.length) {
    // One that is large does not take the place of many.
    if (length > SLAB / 4) return frameInto(Buffer.allocUnsafeSlow(length), text, bytes)
    slab = Buffer.allocUnsafeSlow(SLAB)
    used = 0
  }
  const start = used
  used += length
  return frameInto(slab.subarray(start, used), text, bytes)
}

/** @param target as long as the frame @param bytes in the message */
function frameInto (target: Buffer, text: string | Buffer, bytes: number): Buffer {
  target[0] = WHOLE_TEXT
  if (bytes <= SHORT) {
    target[1] = bytes
  } else if (bytes <= MEDIUM) {
    target[1] = 126
    target[2] = bytes >>> 8
    target[3] = bytes & 0xff
  } else {
    target[1] = 127
    target.writeBigUInt64BE(BigInt(bytes), 2)
  }
  const start = headLength(bytes)
  if (typeof text !== 'string') text.copy(target, start)
  // As many bytes as characters: it is ASCII, which is written as it is.
  else target.write(text, start, bytes === text.length ? 'latin1' : 'utf8')
  return target
}

/** The message in a frame that was made here, UTF-8: the same bytes. */
export function textOf (frame: Buffer): Buffer {
  return frame.subarray(frame[1]! <= SHORT ? 2 : frame[1] === 126 ? 4 : 10)
}

function headLength (bytes: number): number { return bytes <= SHORT ? 2 : bytes <= MEDIUM ? 4 : 10 }
