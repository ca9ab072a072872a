// A text message as it travels to a client: one whole, unmasked WebSocket frame. It is made once, for the log and for all who get it.

/** FIN and opcode 1: a whole text message in one frame. A server does not mask (RFC 6455 §5.1). */
const WHOLE_TEXT = 0x81
/** Lengths up to which the first byte, and the next two, say it (RFC 6455 §5.2). */
const SHORT = 125
const MEDIUM = 0xffff

/** @param text a message, also as UTF-8 */
export function framed (text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.byteLength(text) : text.length
  const frame = Buffer.allocUnsafe(framedLength(bytes))
  frameInto(frame, 0, text, bytes)
  return frame
}

/** How long the frame of a message is. @param bytes in the message */
export function framedLength (bytes: number): number { return headLength(bytes) + bytes }

/** Writes a message as a frame. @param at where to @param bytes in the message */
export function frameInto (target: Buffer, at: number, text: string | Buffer, bytes: number): void {
  target[at] = WHOLE_TEXT
  if (bytes <= SHORT) {
    target[at + 1] = bytes
  } else if (bytes <= MEDIUM) {
    target[at + 1] = 126
    target[at + 2] = bytes >>> 8
    target[at + 3] = bytes & 0xff
  } else {
    target[at + 1] = 127
    target.writeBigUInt64BE(BigInt(bytes), at + 2)
  }
  const start = at + headLength(bytes)
  if (typeof text !== 'string') text.copy(target, start)
  // As many bytes as characters: it is ASCII, which is written as it is.
  else target.write(text, start, bytes === text.length ? 'latin1' : 'utf8')
}

/** The message in a frame that was made here, UTF-8: the same bytes. */
export function textOf (frame: Buffer): Buffer {
  return frame.subarray(frame[1]! <= SHORT ? 2 : frame[1] === 126 ? 4 : 10)
}

function headLength (bytes: number): number { return bytes <= SHORT ? 2 : bytes <= MEDIUM ? 4 : 10 }
