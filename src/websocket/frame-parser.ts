// Reads what clients send straight off the network, as far as it is plain: whole masked text messages, pings, pongs and a close. All else is left to ws.
import { isUtf8 } from 'node:buffer'
import { applyMask } from './mask.js'
import { beginBatch, endBatch } from './batch.js'

/** The first byte of a frame: FIN, no extension, and the opcode (RFC 6455 §5.2). */
const FIN_TEXT = 0x81
const FIN_PING = 0x89
const FIN_PONG = 0x8a
const FIN_CLOSE = 0x88

const MASKED = 0x80
/** Lengths from which two more bytes, and eight, say it. The latter are nobody's plain frame. */
const LENGTH_16 = 126
const LENGTH_64 = 127
const MASK_BYTES = 4

/** Close codes that have a meaning, but not in a frame, and one that has none (RFC 6455 §7.4.1). */
const NEVER_SENT: ReadonlySet<number> = new Set([1004, 1005, 1006])

/** Whoever the messages are for. */
export interface FrameHandler {
  /** Takes a text message, which is UTF-8. Nothing of the bytes may be kept. */
  onMessage: (bytes: Buffer, start: number, end: number) => void
  onPing: (data: Buffer) => void
  onPong: () => void
}

/** Where the bytes come from. */
export interface Pausable { readonly isPaused: boolean }

/** Whoever reads what is not plain. */
export interface Fallback {
  /** Everything from here on is theirs. */
  onUnsupported: (bytes: Buffer) => void
  /**
   * The peer has closed its socket, as it may. Nothing is held back for it.
   * @param data what is to be repeated to it: a code and a reason, or nothing
   * @returns whether that is done and all is over; otherwise the close is left to them as well
   */
  onCloseFrame: (data: Buffer) => boolean
}

/**
 * Takes the place of ws, whose reader is a stream behind the socket's own and does much that a whole plain message needs none of. What it takes in is what
 * ws would have taken; from the first byte that is not plain, ws reads, to the socket's end. So what becomes of an attack and of fragments is ws's
 * to say, and is said once.
 */
export class FrameParser {
  readonly #source: Pausable
  readonly #maxBytes: number
  readonly #receiver: FrameHandler
  readonly #fallback: Fallback
  /** A frame of which some is still to come. */
  #partialFrame: Buffer | undefined

  /**
   * @param source the connection under a WebSocket without extensions
   * @param maxBytes bytes in a message, at most
   * @param receiver takes each message, ping and pong
   */
  constructor (source: Pausable, maxBytes: number, receiver: FrameHandler, fallback: Fallback) {
    this.#source = source
    this.#maxBytes = maxBytes
    this.#receiver = receiver
    this.#fallback = fallback
  }

  /** Takes a chunk. Whatever outlives the call must be a copy. @param length bytes of it, from its start */
  read (chunk: Buffer, length: number): void {
    // What a chunk gives rise to is one write to each socket.
    beginBatch()
    try {
      this.#readFrames(chunk, length)
    } finally {
      endBatch()
    }
  }

  #readFrames (chunk: Buffer, length: number): void {
    const begun = this.#partialFrame
    this.#partialFrame = undefined
    const bytes = begun ? Buffer.concat([begun, chunk.subarray(0, length)]) : chunk
    const limit = begun ? bytes.length : length
    let at = 0
    while (at < limit) {
      const end = frameEnd(bytes, at, limit, this.#maxBytes)
      // In two parts it may well come, on its way over a network; in more of them, ws minds how many.
      const isPart = end > limit && !(begun && at === 0) && !this.#source.isPaused
      if (isPart) {
        this.#partialFrame = Buffer.from(bytes.subarray(at, limit))
        return
      }
      if (end === 0 || end > limit) return this.#handOver(bytes.subarray(at, limit))
      if (bytes[at] === FIN_CLOSE) {
        // Behind it nothing comes. What is wrong with one is for ws to say.
        if (end < limit || !this.#closes(bytes, at, end)) this.#handOver(bytes.subarray(at, limit))
        return
      }
      if (bytes[at] === FIN_TEXT) {
        const start = unmask(bytes, at, end)
        if (start === 0) return this.#handOver(bytes.subarray(at, limit))
        this.#receiver.onMessage(bytes, start, end)
      } else if (bytes[at] === FIN_PING) {
        this.#receiver.onPing(unmaskedData(bytes, at, end))
      } else {
        this.#receiver.onPong()
      }
      at = end
    }
  }

  #closes (bytes: Buffer, at: number, end: number): boolean {
    const data = unmaskedData(Buffer.from(bytes.subarray(at, end)), 0, end - at)
    if (!isValidClosePayload(data)) return false
    endBatch()
    return this.#fallback.onCloseFrame(data)
  }

  #handOver (rest: Buffer): void {
    // It may answer by itself, with a close for one, and that must not overtake what is held back.
    endBatch()
    this.#fallback.onUnsupported(Buffer.from(rest))
  }
}

/** Where the frame ends that begins at `at`, perhaps past the limit of the bytes; 0 where it is not plain, or where that cannot be told yet. */
function frameEnd (bytes: Buffer, at: number, limit: number, maxBytes: number): number {
  if (at + 2 > limit) return 0
  const kind = bytes[at]
  const length = bytes[at + 1]! - MASKED
  if (length < 0) return 0
  const isControl = kind === FIN_PING || kind === FIN_PONG || kind === FIN_CLOSE
  if (kind !== FIN_TEXT && !isControl) return 0
  if (length < LENGTH_16) return length > maxBytes ? 0 : at + 2 + MASK_BYTES + length
  if (length === LENGTH_64 || isControl || at + 4 > limit) return 0
  const medium = bytes[at + 2]! << 8 | bytes[at + 3]!
  return medium > maxBytes ? 0 : at + 4 + MASK_BYTES + medium
}

/** Whether a close frame may hold this (RFC 6455 §5.5.1, §7.4). The codes between 1000 and 2999 are those that ws knows; what they are for is nobody's business here. */
function isValidClosePayload (data: Buffer): boolean {
  if (data.length < 2) return data.length === 0
  const code = data.readUInt16BE(0)
  const isCode = (code >= 1000 && code <= 1014 && !NEVER_SENT.has(code)) || (code >= 3000 && code <= 4999)
  return isCode && isUtf8(data.subarray(2))
}

/** Takes the mask off a whole text frame, in place (RFC 6455 §5.3). @returns where its text begins; 0 where that is no UTF-8, with the mask on it again */
function unmask (bytes: Buffer, at: number, end: number): number {
  const start = at + MASK_BYTES + (bytes[at + 1]! - MASKED < LENGTH_16 ? 2 : 4)
  const mask = start - MASK_BYTES
  // ASCII need not be looked at again.
  if (applyMask(bytes, mask, start, end) || isUtf8(bytes.subarray(start, end))) return start
  applyMask(bytes, mask, start, end)
  return 0
}

/** The same for a control frame. @returns a copy of what is in it */
function unmaskedData (bytes: Buffer, at: number, end: number): Buffer {
  const start = at + 2 + MASK_BYTES
  applyMask(bytes, start - MASK_BYTES, start, end)
  return Buffer.from(bytes.subarray(start, end))
}
