// Parses client frames directly from the connection: unfragmented masked text messages, pings, pongs and a close. Everything else is left to ws.
import { isUtf8 } from 'node:buffer'
import type { Batch } from './batch.js'
import { ABNORMAL, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, LENGTH_16, LENGTH_64, MASK_BYTES, MASKED, NO_STATUS } from './constants.js'
import type { Unmasker } from './mask.js'
import type { Transport } from './transport.js'

/** Reserved close codes that must not appear in a frame: 1005 and 1006 have a meaning outside of frames, 1004 has none (RFC 6455 §7.4.1). */
const NEVER_SENT: ReadonlySet<number> = new Set([1004, NO_STATUS, ABNORMAL])

/** Receiver of the parsed frames, all of which are part of the batch. */
export interface FrameHandler {
  /** Called for each text message, which is valid UTF-8. The buffer is reused after the call: keep no reference to it. */
  onMessage: (bytes: Buffer, start: number, end: number, batch: Batch) => void
  onPing: (data: Buffer, batch: Batch) => void
  onPong: (batch: Batch) => void
}

/** WebSocket without extensions whose connection the bytes come from, which handles the input that the parser does not support. */
export interface FrameSource {
  /** Receives each message, ping and pong. */
  readonly session: FrameHandler
  /** Start of a frame whose rest has not arrived yet. Kept here for the parser, which has no state of its own. */
  partialFrame: Buffer | undefined
  readonly isPaused: boolean
  /** Takes over from the first unsupported frame on. @param bytes from the start of that frame */
  onUnsupported: (bytes: Buffer) => void
  /**
   * Called for a valid close frame of the peer.
   * @param data payload to echo: a close code and a reason, or empty
   * @returns true if the close was answered and the socket is done; false to pass the close frame to {@link FrameSource.onUnsupported}
   */
  onCloseFrame: (data: Buffer) => boolean
}

export interface FrameParserOptions {
  /** Maximum size of a message, bytes. */
  readonly maxBytes: number
  readonly transport: Transport
}

/**
 * Replaces the Receiver of ws, a stream behind the socket's own whose work an unfragmented message mostly does not need. Accepts a strict subset of what ws
 * accepts. At the first frame outside the subset ws takes over for good, so malformed input and fragments have one implementation. One parser serves all
 * sockets of a server.
 */
export class FrameParser {
  readonly #options: FrameParserOptions

  constructor (options: FrameParserOptions) { this.#options = options }

  /** Parses a chunk. Bytes that outlive the call must be copied. @param length bytes of the chunk, from the start of the buffer */
  read (source: FrameSource, chunk: Buffer, length: number): void {
    const { batch } = this.#options.transport
    // One batch per chunk: one read of the clocks, and one write to each socket.
    batch.begin()
    try {
      this.#readFrames(source, chunk, length)
    } finally {
      batch.end()
    }
  }

  #readFrames (source: FrameSource, chunk: Buffer, length: number): void {
    const { maxBytes, transport: { batch, unmasker } } = this.#options
    const { session, partialFrame: begun } = source
    if (begun) source.partialFrame = undefined
    const bytes = begun ? Buffer.concat([begun, chunk.subarray(0, length)]) : chunk
    const limit = begun ? bytes.length : length
    let at = 0
    while (at < limit) {
      const end = frameEnd(bytes, at, limit, maxBytes)
      // A frame split over two chunks is normal on a network. ws handles more than two chunks, and limits their number.
      const isPart = end > limit && !(begun && at === 0) && !source.isPaused
      if (isPart) {
        source.partialFrame = Buffer.from(bytes.subarray(at, limit))
        return
      }
      if (end === 0 || end > limit) return handOver(source, bytes.subarray(at, limit))
      if (bytes[at] === FIN_CLOSE) {
        // No frame may follow a close. ws handles a close that is invalid or followed by other bytes.
        if (end < limit || !this.#closes(source, bytes, at, end)) handOver(source, bytes.subarray(at, limit))
        return
      }
      if (bytes[at] === FIN_TEXT) {
        const start = unmask(unmasker, bytes, at, end)
        if (start === 0) return handOver(source, bytes.subarray(at, limit))
        session.onMessage(bytes, start, end, batch)
      } else if (bytes[at] === FIN_PING) {
        session.onPing(unmaskedData(unmasker, bytes, at, end), batch)
      } else {
        session.onPong(batch)
      }
      at = end
    }
  }

  #closes (source: FrameSource, bytes: Buffer, at: number, end: number): boolean {
    const data = unmaskedData(this.#options.transport.unmasker, Buffer.from(bytes.subarray(at, end)), 0, end - at)
    return isValidClosePayload(data) && source.onCloseFrame(data)
  }
}

function handOver (source: FrameSource, rest: Buffer): void { source.onUnsupported(Buffer.from(rest)) }

/** Index after the frame that begins at `at`, possibly past `limit`; 0 if the frame is unsupported or its header is incomplete. */
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

/** True for a valid payload of a close frame (RFC 6455 §5.5.1, §7.4). Of the codes from 1000 to 2999, those known to ws are valid; their meaning does not matter here. */
function isValidClosePayload (data: Buffer): boolean {
  if (data.length < 2) return data.length === 0
  const code = data.readUInt16BE(0)
  const isCode = (code >= 1000 && code <= 1014 && !NEVER_SENT.has(code)) || (code >= 3000 && code <= 4999)
  return isCode && isUtf8(data.subarray(2))
}

/** Unmasks a whole text frame in place (RFC 6455 §5.3). @returns start of the text; 0 if the text is not UTF-8, in which case the frame is masked again */
function unmask (unmasker: Unmasker, bytes: Buffer, at: number, end: number): number {
  const start = at + MASK_BYTES + (bytes[at + 1]! - MASKED < LENGTH_16 ? 2 : 4)
  const mask = start - MASK_BYTES
  // ASCII needs no UTF-8 check.
  if (unmasker.apply(bytes, mask, start, end) || isUtf8(bytes.subarray(start, end))) return start
  unmasker.apply(bytes, mask, start, end)
  return 0
}

/** Unmasks a control frame in place. @returns a copy of its payload */
function unmaskedData (unmasker: Unmasker, bytes: Buffer, at: number, end: number): Buffer {
  const start = at + 2 + MASK_BYTES
  unmasker.apply(bytes, start - MASK_BYTES, start, end)
  return Buffer.from(bytes.subarray(start, end))
}
