// Collects the frames for one connection and writes them with one syscall at the end of the batch, or of the tick outside a batch.
import type { Writable } from 'node:stream'
import { isAdjacent, type WireFrame } from './frame-writer.js'
import { writeToHandle, type WritableHandle, type WriteCallbacks } from './node/write-to-handle.js'
import { handleOf, hasKnownHandle } from './node/internals.js'
import { onBatchEnd, inBatch } from './batch.js'

/** Connection that a BatchWriter writes to. */
export interface WritableConnection {
  /** Handle that bypasses the stream; undefined if its kind is not supported or the connection is gone. */
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

  get handle (): WritableConnection['handle'] { return this.#isKnown ? handleOf(this.#stream) : undefined }

  get writableLength (): number { return this.#stream.writableLength }

  openStream (): Writable { return this.#stream }
}

/** Writers and streams with pending data. */
const pendingWriters: BatchWriter[] = []
const corkedStreams: Writable[] = []
/** A flush at the end of the tick is scheduled. */
let isFlushScheduled = false

onBatchEnd(flushAll)

function flushAll (): void {
  for (const wire of pendingWriters) wire.flush()
  // Not `length = 0`, which costs a runtime call.
  while (pendingWriters.length > 0) pendingWriters.pop()
  if (corkedStreams.length === 0) return
  for (const stream of corkedStreams) stream.uncork()
  corkedStreams.length = 0
}

/** Schedules a flush at the end of the tick, for data written outside a batch. */
function scheduleFlush (): void {
  if (isFlushScheduled) return
  isFlushScheduled = true
  process.nextTick(() => {
    isFlushScheduled = false
    flushAll()
  })
}

/** Corks a stream, so that its writes reach the network as one. */
function cork (stream: Writable): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  corkedStreams.push(stream)
  if (!inBatch()) scheduleFlush()
}

/**
 * Writes whole frames to a connection that ws writes to as well. Writes to the handle only while the stream's buffer is empty; otherwise through the stream.
 * Code that writes to the stream must call {@link BatchWriter.flush} first, or order is lost.
 */
export class BatchWriter implements WriteCallbacks {
  readonly #connection: WritableConnection
  /** Pending frames, and their size in bytes. */
  #pending: WireFrame[] | undefined
  #pendingBytes = 0
  /** The pending frames are adjacent in memory, as the events of a burst are. */
  #contiguous = true
  /** Bytes written to the handle that the kernel has not taken yet. */
  #inFlightBytes = 0

  constructor (network: WritableConnection) { this.#connection = network }

  /** Bytes queued for the peer: pending, in flight, and in the stream's buffer. */
  get bufferedAmount (): number { return this.#pendingBytes + this.#inFlightBytes + this.#connection.writableLength }

  /** @param frame must not change afterwards */
  write (frame: WireFrame): void {
    if (this.#pendingBytes > 0) {
      const held = this.#pending!
      this.#contiguous &&= isAdjacent(frame, held[held.length - 1]!)
      held.push(frame)
    } else if (this.#inFlightBytes === 0 && this.#connection.writableLength === 0 && this.#connection.handle) {
      this.#pending = [frame]
      this.#contiguous = true
      pendingWriters.push(this)
      if (!inBatch()) scheduleFlush()
    } else {
      const stream = this.#connection.openStream()
      if (!stream) return
      cork(stream)
      stream.write(frame)
      return
    }
    this.#pendingBytes += frame.length
  }

  /** Writes a frame after all others. @param done called when the frame was handed to the network, or when the connection is gone */
  writePaced (frame: WireFrame, done: () => void): void {
    this.flush()
    const stream = this.#connection.openStream()
    if (stream) stream.write(frame, () => done())
    else done()
  }

  /** Writes the pending frames. */
  flush (): void {
    if (this.#pendingBytes === 0) return
    const bytes = this.#joined()
    this.#pending = undefined
    this.#pendingBytes = 0
    const { handle } = this.#connection
    const outcome = handle ? writeToHandle(handle, bytes, this) : 'refused'
    if (outcome === 'written') return
    // While a write is in flight, the stream keeps the order of everything after it: later frames, and the peer's end of the connection.
    const stream = this.#connection.openStream()
    if (outcome === 'under way') this.#inFlightBytes = bytes.length
    else stream?.write(bytes)
  }

  onWritten (): void { this.#inFlightBytes = 0 }

  onFailed (): void { this.#connection.openStream()?.destroy() }

  /** The pending frames as one buffer; adjacent frames are not copied. */
  #joined (): Uint8Array {
    const held = this.#pending!
    const first = held[0]!
    if (held.length === 1) return first
    return this.#contiguous ? new Uint8Array(first.buffer, first.byteOffset, this.#pendingBytes) : Buffer.concat(held, this.#pendingBytes)
  }
}
