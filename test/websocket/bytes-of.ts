// Frames as tests look at them.
import { encodeTextFrame } from '../../src/websocket/frame-writer.js'

/** Returns a framed text as a Buffer over the memory of the frame. */
export function bytesOf (text: string): Buffer {
  const { buffer, byteOffset, length } = encodeTextFrame(text)
  return Buffer.from(buffer, byteOffset, length)
}
