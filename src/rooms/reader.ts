// Reads what clients send straight off the network, as far as it is plain: whole masked text messages. All else is left to ws.
import { isUtf8 } from 'node:buffer'
import type { Socket } from 'node:net'

/** The first byte of a frame: FIN, no extension, and the opcode (RFC 6455 §5.2). */
const TEXT = 0x81
const PING = 0x89
const PONG = 0x8a

const MASKED = 0x80
/** Lengths from which two more bytes, and eight, say it. The latter are nobody's plain frame. */
const MEDIUM = 126
const LONG = 127
const MASK_BYTES = 4

/**
 * Takes the place of ws on a socket, whose reader is a stream behind the socket's own and does much that a whole plain message needs none of. What it
 * takes in is what ws would have taken; with the first byte that is not plain, ws reads on by itself, to the socket's end. So what becomes of an
 * attack, of fragments and of a close is ws's to say, and is said once.
 * @param network the connection under a WebSocket that was just opened by ws, without extensions
 * @param maxBytes bytes in a message, at most
 * @param onText takes each message, UTF-8; the bytes are its own
 */
export function readPlainFrames (network: Socket, maxBytes: number, onText: (text: Buffer) => void): void {
  const [byWs, ...others] = network.listeners('data')
  // It does not read as we know it: then it reads alone.
  if (!byWs || others.length > 0) return
  /** A frame of which some is still to come. */
  let begun: Buffer | undefined

  network.off('data', byWs as (chunk: Buffer) => void)
  network.on('data', read)

  function read (chunk: Buffer): void {
    const bytes = begun ? Buffer.concat([begun, chunk]) : chunk
    const isSecondPart = begun !== undefined
    begun = undefined
    let at = 0
    while (at < bytes.length) {
      const end = endOfPlain(bytes, at, maxBytes)
      // In two parts it may well come, on its way over a network; in more of them, ws minds how many.
      const isPart = end > bytes.length && !(isSecondPart && at === 0) && !network.isPaused()
      if (isPart) {
        // A copy, since the chunk may be large.
        begun = Buffer.from(bytes.subarray(at))
        return
      }
      if (end === 0 || end > bytes.length) return leaveToWs(bytes.subarray(at))
      if (bytes[at] === TEXT) {
        const text = unmasked(bytes, at, end)
        if (!text) return leaveToWs(bytes.subarray(at))
        onText(text)
      } else {
        byWs!.call(network, bytes.subarray(at, end))
      }
      at = end
    }
  }

  function leaveToWs (rest: Buffer): void {
    network.off('data', read)
    network.on('data', byWs as (chunk: Buffer) => void)
    byWs!.call(network, rest)
  }
}

/** Where the frame ends that begins at `at`, perhaps past the end of the bytes; 0 where it is not plain, or where that cannot be told yet. */
function endOfPlain (bytes: Buffer, at: number, maxBytes: number): number {
  if (at + 2 > bytes.length) return 0
  const kind = bytes[at]
  const length = bytes[at + 1]! - MASKED
  if (length < 0) return 0
  const isControl = kind === PING || kind === PONG
  if (kind !== TEXT && !isControl) return 0
  if (length < MEDIUM) return length > maxBytes ? 0 : at + 2 + MASK_BYTES + length
  if (length === LONG || isControl || at + 4 > bytes.length) return 0
  const medium = bytes.readUInt16BE(at + 2)
  return medium > maxBytes ? 0 : at + 4 + MASK_BYTES + medium
}

/** Takes the mask off a whole text frame, in place (RFC 6455 §5.3). @returns the text; undefined where it is no UTF-8, with the mask on it again */
function unmasked (bytes: Buffer, at: number, end: number): Buffer | undefined {
  const start = at + MASK_BYTES + (bytes[at + 1]! - MASKED < MEDIUM ? 2 : 4)
  const mask = start - MASK_BYTES
  toggle(bytes, mask, start, end)
  const text = bytes.subarray(start, end)
  if (isUtf8(text)) return text
  toggle(bytes, mask, start, end)
  return undefined
}

function toggle (bytes: Buffer, mask: number, start: number, end: number): void {
  const a = bytes[mask]!
  const b = bytes[mask + 1]!
  const c = bytes[mask + 2]!
  const d = bytes[mask + 3]!
  let i = start
  // Four at a time: the loop itself costs as much as what it does.
  for (; i + 3 < end; i += 4) {
    bytes[i]! ^= a
    bytes[i + 1]! ^= b
    bytes[i + 2]! ^= c
    bytes[i + 3]! ^= d
  }
  for (; i < end; i++) bytes[i]! ^= bytes[mask + (i - start) % MASK_BYTES]!
}
