// Bounded send queue of one socket: a peer that does not read costs at most `maxBytes` and one frame.
import type { BatchWriter } from '../websocket/batch-writer.js'
import { PING_FRAME, type WireFrame } from '../websocket/frame-writer.js'

export interface SendQueueOwner {
  /** Called for a frame that the full queue does not take. */
  readonly onFull: () => void
}

/** All sends to a socket go through its queue, which keeps their order. */
export class SendQueue {
  readonly #writer: BatchWriter
  readonly #maxBytes: number
  readonly #owner: SendQueueOwner
  #isOpen = true

  /**
   * @param maxBytes maximum bytes queued for the peer
   */
  constructor (writer: BatchWriter, maxBytes: number, owner: SendQueueOwner) {
    this.#writer = writer
    this.#maxBytes = maxBytes
    this.#owner = owner
  }

  /** True until the socket is closing, from either side. */
  get isOpen (): boolean { return this.#isOpen }

  /** Queues one frame. Does nothing if the socket is closing. */
  send (frame: WireFrame): void {
    if (!this.#isOpen) return
    if (this.#writer.bufferedAmount <= this.#maxBytes) this.#writer.write(frame)
    else this.#owner.onFull()
  }

  /**
   * Queues one frame of a replay. A replay may be larger than `maxBytes`, so it must be paced.
   * @returns a promise to await before the next frame, if half of `maxBytes` is queued; it resolves when the frame was handed to the network, or when the socket is gone
   */
  sendPaced (frame: WireFrame): Promise<void> | undefined {
    if (!this.#isOpen) return undefined
    if (this.#writer.bufferedAmount * 2 >= this.#maxBytes) return new Promise((resolve) => this.#writer.writePaced(frame, resolve))
    this.#writer.write(frame)
    return undefined
  }

  /** Queues a ping, even into a full queue: it is the peer's chance to answer. */
  ping (): void { if (this.#isOpen) this.#writer.write(PING_FRAME) }

  /** Takes no more frames, because the socket is closing. Those that are queued are written. */
  close (): void {
    this.#isOpen = false
    this.#writer.flush()
  }
}
