// What is written to a connection, in order: one write to the network for all that a turn has for it, or a tick where nothing is a turn.
import type { Writable } from 'node:stream'
import { follows, type Frame } from './frame-writer.js'
import { writeDirectly, type WritableHandle, type Writer } from './node/write-to-handle.js'
import { handleOf, isKnown } from './node/internals.js'
import { atEndOfTurn, isTurn } from './batch.js'

/** A connection as far as it is written to. */
export interface Network {
  /** Takes bytes past the stream; undefined where it is not known how, and where the connection is gone. */
  readonly handle: WritableHandle | undefined
  /** Bytes that wait in the stream. */
  readonly writableLength: number
  /** The stream, which is made where there was none yet; undefined where the connection went before there was one. */
  openStream: () => Writable | undefined
}

/** A connection that has been a stream from the start. */
export class StreamNetwork implements Network {
  readonly #stream: Writable
  readonly #isKnown: boolean

  constructor (stream: Writable, isStreamKnown = isKnown(stream)) {
    this.#stream = stream
    this.#isKnown = isStreamKnown
  }

  get handle (): Network['handle'] { return this.#isKnown ? handleOf(this.#stream) : undefined }

  get writableLength (): number { return this.#stream.writableLength }

  openStream (): Writable { return this.#stream }
}

/** Wires and streams that hold back what is written to them. */
const wires: Wire[] = []
const streams: Writable[] = []
/** They are let go of as the tick ends. */
let isTickAwaited = false

atEndOfTurn(release)

function release (): void {
  for (const wire of wires) wire.flush()
  // Setting the length to 0 would be a call into the engine.
  while (wires.length > 0) wires.pop()
  if (streams.length === 0) return
  for (const stream of streams) stream.uncork()
  streams.length = 0
}

/** Outside of a turn, what is held back goes out as the tick ends. */
function awaitTick (): void {
  if (isTickAwaited) return
  isTickAwaited = true
  process.nextTick(() => {
    isTickAwaited = false
    release()
  })
}

/** Lets a stream collect what is written to it, for one write to the network. */
function hold (stream: Writable): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  streams.push(stream)
  if (!isTurn()) awaitTick()
}

/**
 * The way of whole frames to a network that ws writes to as well. They go past its stream where they can, and through it otherwise. They are never overtaken:
 * past the stream only goes what finds it empty, and whoever is about to write to the stream calls {@link Wire.flush} first.
 */
export class Wire implements Writer {
  readonly #network: Network
  /** Frames that are held back, and the bytes in them. */
  #held: Frame[] | undefined
  #heldBytes = 0
  /** They follow each other in memory, as the events of a burst do. */
  #isOnePiece = true
  /** Bytes that went past the stream and are still on their way into the network. */
  #underWay = 0

  constructor (network: Network) { this.#network = network }

  /** Bytes that wait for the peer to read. */
  get waiting (): number { return this.#heldBytes + this.#underWay + this.#network.writableLength }

  /** @param frame must stay as it is */
  write (frame: Frame): void {
    if (this.#heldBytes > 0) {
      const held = this.#held!
      this.#isOnePiece &&= follows(frame, held[held.length - 1]!)
      held.push(frame)
    } else if (this.#underWay === 0 && this.#network.writableLength === 0 && this.#network.handle) {
      this.#held = [frame]
      this.#isOnePiece = true
      wires.push(this)
      if (!isTurn()) awaitTick()
    } else {
      const stream = this.#network.openStream()
      if (!stream) return
      hold(stream)
      stream.write(frame)
      return
    }
    this.#heldBytes += frame.length
  }

  /** Writes a frame behind all others. @param done called when the network has it, or when it is gone */
  writePaced (frame: Frame, done: () => void): void {
    this.flush()
    const stream = this.#network.openStream()
    if (stream) stream.write(frame, () => done())
    else done()
  }

  /** Writes what is held back. */
  flush (): void {
    if (this.#heldBytes === 0) return
    const bytes = this.#joined()
    this.#held = undefined
    this.#heldBytes = 0
    const { handle } = this.#network
    const outcome = handle ? writeDirectly(handle, bytes, this) : 'refused'
    if (outcome === 'written') return
    // While it is under way, all that comes behind it is the stream's to keep in order: frames, and the peer's end of the connection.
    const stream = this.#network.openStream()
    if (outcome === 'under way') this.#underWay = bytes.length
    else stream?.write(bytes)
  }

  written (): void { this.#underWay = 0 }

  failed (): void { this.#network.openStream()?.destroy() }

  /** All that is held, in one. */
  #joined (): Uint8Array {
    const held = this.#held!
    const first = held[0]!
    if (held.length === 1) return first
    return this.#isOnePiece ? new Uint8Array(first.buffer, first.byteOffset, this.#heldBytes) : Buffer.concat(held, this.#heldBytes)
  }
}
