// What goes over the network: an event framed once for all who get it, and one write to a socket for all that a turn of the event loop has for it.
import type { Duplex } from 'node:stream'

/** FIN and opcode 1: a whole text message in one frame. A server does not mask (RFC 6455 §5.1). */
const WHOLE_TEXT = 0x81
/** Lengths up to which the first byte, and the next two, say it (RFC 6455 §5.2). */
const SHORT = 125
const MEDIUM = 0xffff

/** A text message as the bytes of its frame. @param text UTF-8 */
export function framed (text: Buffer): Buffer {
  const { length } = text
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
  text.copy(frame, head)
  return frame
}

/** Sockets that hold back what is written to them until the end of the turn. */
let held: Duplex[] = []

/** Lets a socket collect what is written to it in this turn of the event loop, for one write to the network. */
export function hold (socket: Duplex): void {
  if (socket.writableCorked > 0) return
  socket.cork()
  if (held.push(socket) === 1) process.nextTick(release)
}

function release (): void {
  const sockets = held
  held = []
  for (const socket of sockets) socket.uncork()
}
