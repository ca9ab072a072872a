// The outbox of webhooks: a list for each room of the changes that a backend has not got yet. The scripts append to it in the step that makes the change, so that no
// change is lost with the node that made it. This file has the rules for what is appended, and the news about it; src/webhooks/ delivers.
import type { RoomChange } from '../broker.js'

/** Time for which an outbox is kept after its last change and after each try, ms: a week, far longer than the longest delay between two tries. */
export const OUTBOX_LIFETIME = 7 * 86_400_000

export interface OutboxListener {
  /** A change is in the outbox of its room. @param dropped true if the oldest one was dropped for it */
  appended: (change: RoomChange, dropped: boolean) => void
  /** A change may be in the outbox of a room: the answer of Redis was lost. */
  uncertain: (roomId: string) => void
  /** Another node has died. It may have appended changes that no node knows of. */
  nodeLost: () => void
}

export interface OutboxOptions {
  /** Appends the changes of every room, and not only of those with a URL of their own. */
  readonly everyRoom: boolean
  /** @param type of the event, with the cause `event` @returns true if the webhook of such a change may be wanted */
  readonly mayBeWanted: (cause: RoomChange['cause'], type?: string) => boolean
}

export class Outbox {
  listener: OutboxListener = { appended: () => {}, uncertain: () => {}, nodeLost: () => {} }
  readonly #options: OutboxOptions

  constructor (options: OutboxOptions) { this.#options = options }

  /** True if the changes of every room are appended, and not only of those with a URL of their own. */
  get isForEveryRoom (): boolean { return this.#options.everyRoom }

  /** @param type of the event, with the cause `event` @returns true if the webhook of such a change may be wanted */
  wants (cause: RoomChange['cause'], type?: string): boolean { return this.#options.mayBeWanted(cause, type) }

  /** @returns arguments of the scripts: the lifetime of the outbox, empty if nobody wants the change; 1 for every room */
  argumentsFor (cause: RoomChange['cause']): [lifetime: number | '', everyRoom: 0 | 1] {
    return [this.wants(cause) ? OUTBOX_LIFETIME : '', this.isForEveryRoom ? 1 : 0]
  }
}

/** Arguments of the scripts on a node without webhooks. */
export const NO_OUTBOX: [lifetime: '', everyRoom: 0] = ['', 0]
