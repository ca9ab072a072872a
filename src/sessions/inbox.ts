// Messages of one socket, processed strictly one after the other, so that their order is also their order in the room.
import type { ClientFrame, RefusedFrame } from '../protocol/decode.js'

/** Number of messages queued behind the one in progress at which the session stops reading from the socket. */
export const INBOX_SIZE = 64

/**
 * A received message, decoded, its arrival time by both clocks: ms since the epoch (`now`), and ms of the monotonic clock (`at`), and its number on the socket,
 * from 1.
 */
export interface Arrival { readonly frame: ClientFrame | RefusedFrame, readonly now: number, readonly at: number, readonly number: number }

export interface InboxOwner {
  /** Processes one message. @returns a promise if the message is still in progress; the promise never rejects */
  readonly handle: (arrival: Arrival) => Promise<void> | undefined
  /** Called when a message that was in progress is done, and those queued behind it that needed no waiting. */
  readonly onProgress: () => void
  /** Called with an error that nothing expected. */
  readonly onBug: (error: unknown) => void
}

export class Inbox {
  readonly #owner: InboxOwner
  /** Messages behind the one in progress. Created with the first one: most sockets never have one. */
  #waiting: Arrival[] | undefined
  #isBusy = false

  constructor (owner: InboxOwner) { this.#owner = owner }

  /** A message is in progress. */
  get isBusy (): boolean { return this.#isBusy }

  get isFull (): boolean { return this.#waiting !== undefined && this.#waiting.length >= INBOX_SIZE }

  /** Processes a message at once, or queues it behind the one in progress. */
  push (arrival: Arrival): void {
    if (this.#isBusy) (this.#waiting ??= []).push(arrival)
    else this.#process(arrival)
  }

  /** Drops the messages behind the one in progress. */
  clear (): void { this.#waiting = undefined }

  /** Processes a message and those behind it. Synchronous while the broker answers synchronously; otherwise the inbox waits for the answer. */
  #process (first: Arrival | undefined): void {
    for (let arrival = first; arrival; arrival = this.#waiting?.shift()) {
      const work = this.#owner.handle(arrival)
      if (!work) continue
      this.#isBusy = true
      work.then(() => this.#onDone()).catch((error: unknown) => this.#owner.onBug(error))
      return
    }
  }

  #onDone (): void {
    this.#isBusy = false
    this.#process(this.#waiting?.shift())
    this.#owner.onProgress()
  }
}
