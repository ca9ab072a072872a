// Frames as tests look at them.
import { encodeTextFrame } from '../../src/websocket/frame-writer.js'

/** A framed text as a Buffer, in the very memory that it was framed in. */
export function bytesOf (text: string): Buffer {
  const { buffer, byteOffset, length } = encodeTextFrame(text)
  return Buffer.from(buffer, byteOffset, length)
}
