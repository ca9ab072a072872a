// Messages of one socket, begun strictly one after the other, so that their order is also their order in the room.
import type { ClientFrame, RefusedFrame } from '../protocol/decode.js'

/** Number of messages queued behind those in progress at which the session stops reading from the socket. */
export const INBOX_SIZE = 64
/** Number of messages in progress at a time. */
export const MAX_IN_PROGRESS = 64

/**
 * A received message, decoded, its arrival time by both clocks: ms since the epoch (`now`), and ms of the monotonic clock (`at`), and its number on the socket,
 * from 1.
 */
export interface Arrival { readonly frame: ClientFrame | RefusedFrame, readonly now: number, readonly at: number, readonly number: number }

export interface InboxOwner {
  /**
   * Processes one message.
   * @param before done when the message before it is answered, if it is not yet; the answer to this one must come later
   * @returns a promise if the message is still in progress; the promise never rejects
   */
  readonly handle: (arrival: Arrival, before: Promise<void> | undefined) => Promise<void> | undefined
  /** True if the message may be in progress together with others of its kind. */
  readonly mayOverlap: (arrival: Arrival) => boolean
  /** Called when a message that was in progress is done, and those queued behind it that needed no waiting. */
  readonly onProgress: () => void
  /** Called with an error that nothing expected. */
  readonly onBug: (error: unknown) => void
}

export class Inbox {
  readonly #owner: InboxOwner
  /** Messages behind those in progress. Created with the first one: most sockets never have one. */
  #waiting: Arrival[] | undefined
  #inProgress = 0
  /** True if the message in progress overlaps with no other. */
  #isExclusive = false
  /** The latest message in progress. */
  #last: Promise<void> | undefined

  constructor (owner: InboxOwner) { this.#owner = owner }

  /** A message is in progress. */
  get isBusy (): boolean { return this.#inProgress > 0 }

  get isFull (): boolean { return this.#waiting !== undefined && this.#waiting.length >= INBOX_SIZE }

  /** Processes a message at once, or queues it behind those in progress. */
  push (arrival: Arrival): void {
    if (this.#inProgress === 0 || (!this.#waiting?.length && this.#mayJoin(arrival))) this.#begin(arrival)
    else (this.#waiting ??= []).push(arrival)
  }

  /** Drops the messages behind those in progress. */
  clear (): void { this.#waiting = undefined }

  /** True if the message may begin while others are in progress. */
  #mayJoin (arrival: Arrival): boolean {
    return !this.#isExclusive && this.#inProgress < MAX_IN_PROGRESS && this.#owner.mayOverlap(arrival)
  }

  /** Begins a message. Synchronous while the broker answers synchronously; otherwise the answer comes later, and other events may begin before it. */
  #begin (arrival: Arrival): void {
    const mayOverlap = this.#owner.mayOverlap(arrival)
    const work = this.#owner.handle(arrival, this.#last)
    if (!work) return
    this.#inProgress++
    this.#isExclusive = !mayOverlap
    this.#last = work
    work.then(() => this.#onDone()).catch((error: unknown) => this.#owner.onBug(error))
  }

  #onDone (): void {
    if (--this.#inProgress === 0) this.#last = undefined
    for (let next = this.#waiting?.[0]; next && (this.#inProgress === 0 || this.#mayJoin(next)); next = this.#waiting?.[0]) {
      this.#waiting!.shift()
      this.#begin(next)
    }
    this.#owner.onProgress()
  }
}
