// A text message as it travels to a client: one whole, unmasked WebSocket frame. It is made once, for the log and for all who get it.

/** FIN and opcode 1: a whole text message in one frame. A server does not mask (RFC 6455 §5.1). */
const WHOLE_TEXT = 0x81
/** Lengths up to which the first byte, and the next two, say it (RFC 6455 §5.2). */
const SHORT = 125
const MEDIUM = 0xffff

/** @param text a message, also as UTF-8 */
export function framed (text: string | Buffer): Buffer {
  const length = typeof text === 'string' ? Buffer.byteLength(text) : text.length
  const head = length <= SHORT ? 2 : length <= MEDIUM ? 4 : 10
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = WHOLE_TEXT
  if (length <= SHORT) {
    frame[1] = length
  } else if (length <= MEDIUM) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  if (typeof text === 'string') frame.write(text, head)
  else text.copy(frame, head)
  return frame
}

/** The message in a frame that was made here, UTF-8: the same bytes. */
export function textOf (frame: Buffer): Buffer {
  return frame.subarray(frame[1]! <= SHORT ? 2 : frame[1] === 126 ? 4 : 10)
}
