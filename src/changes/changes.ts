// The changes that this node makes to rooms, for the feed of all nodes and for all others that need them.
import type { RoomChange } from '../broker/broker.js'
import type { ChangeFeed } from './feed.js'

export type ChangeListener = (change: RoomChange) => void

export class Changes {
  readonly #listeners: ChangeListener[] = []

  /** @param feed takes each change */
  constructor (readonly feed: ChangeFeed) { this.listen((change) => feed.push(change)) }

  /** Adds a listener for the life of the server. It must not throw. */
  listen (listener: ChangeListener): void { this.#listeners.push(listener) }

  emit (change: RoomChange): void { for (const listener of this.#listeners) listener(change) }
}
