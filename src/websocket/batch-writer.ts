// Collects the frames for one connection and writes them with one syscall at the end of the batch, or of the tick outside of a batch.
import type { Writable } from 'node:stream'
import type { Flushable } from './batch.js'
import { hasKnownHandle, unusedHandleOf } from './node/internals.js'
import type { WriteCallbacks, WritableHandle } from './node/handle-writer.js'
import type { WireFrame } from './frame-writer.js'
import type { Transport } from './transport.js'

/** Connection that a BatchWriter writes to. */
export interface WritableConnection {
  /** Handle that bypasses the stream; undefined if its kind is not supported, while the stream's buffer holds bytes, and once the connection is ended or gone. */
  readonly handle: WritableHandle | undefined
  /** Bytes in the stream's buffer; without a stream, bytes of the last write that the kernel has not taken yet. */
  readonly writableLength: number
  /** Returns the stream and creates it if there is none yet; undefined if the connection closed before it had one. */
  openStream: () => Writable | undefined
}

/** Connection that has been a stream from the start. */
export class StreamConnection implements WritableConnection {
  readonly #stream: Writable
  readonly #isKnown: boolean

  constructor (stream: Writable, isStreamKnown = hasKnownHandle(stream)) {
    this.#stream = stream
    this.#isKnown = isStreamKnown
  }

  get handle (): WritableConnection['handle'] { return this.#isKnown ? unusedHandleOf(this.#stream) : undefined }

  get writableLength (): number { return this.#stream.writableLength }

  openStream (): Writable { return this.#stream }
}

/**
 * Writes whole frames to a connection that ws may write to as well. Writes to the handle while it can; otherwise through the stream.
 * Code that writes to the stream must call {@link BatchWriter.flush} first, or order is lost.
 */
export class BatchWriter implements Flushable, WriteCallbacks {
  readonly #connection: WritableConnection
  readonly #transport: Transport
  /** Pending frames, and their size in bytes. */
  #pending: WireFrame[] | undefined
  #pendingBytes = 0
  /** The pending frames are adjacent in memory, as the events of a burst are. */
  #contiguous = true
  /** Bytes written to the handle that the kernel has not taken yet. */
  #inFlightBytes = 0
  /** The stream's buffer may hold bytes. */
  #usesStream: boolean

  constructor (connection: WritableConnection, transport: Transport) {
    this.#connection = connection
    this.#transport = transport
    this.#usesStream = connection.writableLength > 0
  }

  /** Bytes queued for the peer: pending, in flight, and in the stream's buffer. */
  get bufferedAmount (): number {
    const queued = this.#pendingBytes + this.#inFlightBytes
    return this.#usesStream ? queued + this.#connection.writableLength : queued
  }

  /** @param frame must not change afterwards */
  write (frame: WireFrame): void {
    if (this.#pending) {
      this.#contiguous &&= this.#transport.frames.isAdjacent(frame, this.#pending[this.#pending.length - 1]!)
      this.#pending.push(frame)
    } else {
      this.#pending = [frame]
      this.#contiguous = true
      this.#transport.batch.add(this)
    }
    this.#pendingBytes += frame.length
  }

  /** Writes a frame after all others. @param done called when the frame was handed to the network, or when the connection is gone */
  writePaced (frame: WireFrame, done: () => void): void {
    this.flush()
    // Also without pending frames: this one may be an event of the same round.
    this.#transport.batch.settle()
    const stream = this.#connection.openStream()
    if (!stream?.writable) return done()
    this.#usesStream = true
    stream.write(frame, () => done())
  }

  /** Writes the pending frames. */
  flush (): void {
    if (!this.#pending) return
    this.#transport.batch.settle()
    const bytes = this.#joined(this.#pending)
    this.#pending = undefined
    this.#pendingBytes = 0
    this.#usesStream &&= this.#connection.writableLength > 0
    const handle = this.#inFlightBytes === 0 ? this.#connection.handle : undefined
    const outcome = handle ? this.#transport.handles.write(handle, bytes, this) : 'refused'
    if (outcome === 'written') return
    // While a write is in flight, the stream keeps the order of everything after it: later frames, and the peer's end of the connection.
    const stream = this.#connection.openStream()
    if (outcome === 'pending') {
      this.#inFlightBytes = bytes.length
    } else if (stream?.writable) {
      this.#usesStream = true
      stream.write(bytes)
    }
  }

  onWritten (): void { this.#inFlightBytes = 0 }

  onFailed (): void { this.#connection.openStream()?.destroy() }

  /** The pending frames as one buffer; adjacent frames are not copied. */
  #joined (frames: readonly WireFrame[]): Uint8Array {
    const first = frames[0]!
    if (frames.length === 1) return first
    return this.#contiguous ? new Uint8Array(first.buffer, first.byteOffset, this.#pendingBytes) : Buffer.concat(frames, this.#pendingBytes)
  }
}
