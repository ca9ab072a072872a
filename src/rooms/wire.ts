// What is written to a socket, in order: one write to the network for all that a turn has for it.
import type { Writable } from 'node:stream'
import { follows, type Frame } from '../protocol/framing.js'
import { canWriteDirectly, writeDirectly, type Writer } from './direct-write.js'
import { atEndOfTurn, isTurn } from './turn.js'

/** Streams and wires that hold back what is written to them until the end of the turn. */
const streams: Writable[] = []
const wires: Wire[] = []

atEndOfTurn(() => {
  for (const wire of wires) wire.flush()
  // Setting the length to 0 would be a call into the engine.
  while (wires.length > 0) wires.pop()
  if (streams.length > 0) release()
})

/** Lets a socket's stream collect what is written to it in this turn, for one write to the network. Outside of a turn it ends with the tick. */
export function hold (network: Writable): void {
  if (network.writableCorked > 0) return
  network.cork()
  if (streams.push(network) === 1 && !isTurn()) process.nextTick(release)
}

function release (): void {
  for (const network of streams) network.uncork()
  streams.length = 0
}

/**
 * The way of whole frames to a network that ws writes to as well. Within a turn they go past the stream where they can, and through it otherwise. They are
 * never overtaken: past the stream only goes what finds it empty, and whoever is about to write to the stream calls {@link Wire.flush} first.
 */
export class Wire implements Writer {
  readonly #network: Writable
  readonly #isDirect: boolean
  /** Frames of this turn, and the bytes in them. */
  #held: Frame[] | undefined
  #heldBytes = 0
  /** They follow each other in memory, as the events of a burst do. */
  #isOnePiece = true
  /** Bytes that went past the stream and are still on their way into the network. */
  #underWay = 0

  constructor (network: Writable, isDirect = canWriteDirectly(network)) {
    this.#network = network
    this.#isDirect = isDirect
  }

  /** Bytes that wait for the peer to read. */
  get waiting (): number { return this.#heldBytes + this.#underWay + this.#network.writableLength }

  /** @param frame must stay as it is */
  write (frame: Frame): void {
    if (this.#heldBytes > 0) {
      const held = this.#held!
      this.#isOnePiece &&= follows(frame, held[held.length - 1]!)
      held.push(frame)
    } else if (this.#isDirect && this.#underWay === 0 && this.#network.writableLength === 0 && isTurn()) {
      this.#held = [frame]
      this.#isOnePiece = true
      wires.push(this)
    } else {
      hold(this.#network)
      this.#network.write(frame)
      return
    }
    this.#heldBytes += frame.length
  }

  /** Writes a frame behind all others. @param done called when the network has it, or when it is gone */
  writePaced (frame: Frame, done: () => void): void {
    this.flush()
    this.#network.write(frame, () => done())
  }

  /** Writes what is held back. */
  flush (): void {
    if (this.#heldBytes === 0) return
    const bytes = this.#joined()
    this.#held = undefined
    this.#heldBytes = 0
    const outcome = writeDirectly(this.#network, bytes, this)
    if (outcome === 'under way') this.#underWay = bytes.length
    else if (outcome === 'refused') this.#network.write(bytes)
  }

  written (): void { this.#underWay = 0 }

  /** All that is held, in one. */
  #joined (): Uint8Array {
    const held = this.#held!
    const first = held[0]!
    if (held.length === 1) return first
    return this.#isOnePiece ? new Uint8Array(first.buffer, first.byteOffset, this.#heldBytes) : Buffer.concat(held, this.#heldBytes)
  }
}
