// The changes that this node has made to rooms, for all that wants to know of them.
import type { RoomChange } from '../broker/broker.js'

export type ChangeListener = (change: RoomChange) => void

export class Changes {
  readonly #listeners: ChangeListener[] = []

  /** Adds a listener for the life of the server. It must not throw. */
  listen (listener: ChangeListener): void { this.#listeners.push(listener) }

  emit (change: RoomChange): void { for (const listener of this.#listeners) listener(change) }
}
