// What is written to a connection, in order: one write to the network for all that a turn has for it, or a tick where nothing is a turn.
import type { Writable } from 'node:stream'
import { isAdjacent, type WireFrame } from './frame-writer.js'
import { writeToHandle, type WritableHandle, type WriteCallbacks } from './node/write-to-handle.js'
import { handleOf, hasKnownHandle } from './node/internals.js'
import { onBatchEnd, inBatch } from './batch.js'

/** A connection as far as it is written to. */
export interface WritableConnection {
  /** Takes bytes past the stream; undefined where it is not known how, and where the connection is gone. */
  readonly handle: WritableHandle | undefined
  /** Bytes that wait in the stream. */
  readonly writableLength: number
  /** The stream, which is made where there was none yet; undefined where the connection went before there was one. */
  openStream: () => Writable | undefined
}

/** A connection that has been a stream from the start. */
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

/** Wires and streams that hold back what is written to them. */
const pendingWriters: BatchWriter[] = []
const corkedStreams: Writable[] = []
/** They are let go of as the tick ends. */
let isFlushScheduled = false

onBatchEnd(flushAll)

function flushAll (): void {
  for (const wire of pendingWriters) wire.flush()
  // Setting the length to 0 would be a call into the engine.
  while (pendingWriters.length > 0) pendingWriters.pop()
  if (corkedStreams.length === 0) return
  for (const stream of corkedStreams) stream.uncork()
  corkedStreams.length = 0
}

/** Outside of a turn, what is held back goes out as the tick ends. */
function scheduleFlush (): void {
  if (isFlushScheduled) return
  isFlushScheduled = true
  process.nextTick(() => {
    isFlushScheduled = false
    flushAll()
  })
}

/** Lets a stream collect what is written to it, for one write to the network. */
function cork (stream: Writable): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  corkedStreams.push(stream)
  if (!inBatch()) scheduleFlush()
}

/**
 * The way of whole frames to a network that ws writes to as well. They go past its stream where they can, and through it otherwise. They are never overtaken:
 * past the stream only goes what finds it empty, and whoever is about to write to the stream calls {@link BatchWriter.flush} first.
 */
export class BatchWriter implements WriteCallbacks {
  readonly #connection: WritableConnection
  /** Frames that are held back, and the bytes in them. */
  #pending: WireFrame[] | undefined
  #pendingBytes = 0
  /** They follow each other in memory, as the events of a burst do. */
  #contiguous = true
  /** Bytes that went past the stream and are still on their way into the network. */
  #inFlightBytes = 0

  constructor (network: WritableConnection) { this.#connection = network }

  /** Bytes that wait for the peer to read. */
  get bufferedAmount (): number { return this.#pendingBytes + this.#inFlightBytes + this.#connection.writableLength }

  /** @param frame must stay as it is */
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

  /** Writes a frame behind all others. @param done called when the network has it, or when it is gone */
  writePaced (frame: WireFrame, done: () => void): void {
    this.flush()
    const stream = this.#connection.openStream()
    if (stream) stream.write(frame, () => done())
    else done()
  }

  /** Writes what is held back. */
  flush (): void {
    if (this.#pendingBytes === 0) return
    const bytes = this.#joined()
    this.#pending = undefined
    this.#pendingBytes = 0
    const { handle } = this.#connection
    const outcome = handle ? writeToHandle(handle, bytes, this) : 'refused'
    if (outcome === 'written') return
    // While it is under way, all that comes behind it is the stream's to keep in order: frames, and the peer's end of the connection.
    const stream = this.#connection.openStream()
    if (outcome === 'under way') this.#inFlightBytes = bytes.length
    else stream?.write(bytes)
  }

  onWritten (): void { this.#inFlightBytes = 0 }

  onFailed (): void { this.#connection.openStream()?.destroy() }

  /** All that is held, in one. */
  #joined (): Uint8Array {
    const held = this.#pending!
    const first = held[0]!
    if (held.length === 1) return first
    return this.#contiguous ? new Uint8Array(first.buffer, first.byteOffset, this.#pendingBytes) : Buffer.concat(held, this.#pendingBytes)
  }
}
