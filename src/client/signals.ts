// Typed event emitter: an exception in a listener disturbs neither the room nor other listeners.
import type { PaymentEventType, PaymentState, Position, RoomError, RoomEvent, RoomMember } from './frames.js'

/** `connecting` until the first join or failure; `offline` while the client reconnects; `closed` is final. */
export type Status = 'connecting' | 'online' | 'offline' | 'closed'

/** Events between the two positions may have been missed. The state is right, and the entries that are still in the log follow. */
export interface Gap { readonly before: Position | undefined, readonly after: Position }

/** Code of a room that was closed. The server announces it by a message and keeps the socket; the range says not to reconnect. */
export const ROOM_CLOSED = 4505

/** Reason for the end. `code` is the socket's close code; `reason` is the server's text, `closed` or `expired` for the room, or `client` for `close()`. */
export interface Closing { readonly code: number, readonly reason: string }

/** Signals that can be listened to, besides the types of events. */
export interface RoomEventMap {
  /** Every event of the log that another device or a backend sent, once and in order. */
  event: RoomEvent
  state: PaymentState
  status: Status
  members: readonly RoomMember[]
  gap: Gap
  /** Errors that no promise reports: a refused join, or a refused event that was published before a reload. */
  error: RoomError
  closed: Closing
}

export type EventArg<T extends string> = T extends keyof RoomEventMap ? RoomEventMap[T] : T extends PaymentEventType ? RoomEvent<T> : RoomEvent

/** Names of the signals: an event type of a backend with such a name does not trigger the signal. */
const RESERVED = new Set<string>(['event', 'state', 'status', 'members', 'gap', 'error', 'closed'] satisfies Array<keyof RoomEventMap>)

export class Emitter {
  readonly #handlers = new Map<string, Set<(value: any) => void>>()

  /** @returns a function that ends the subscription */
  on<T extends string> (type: T, handler: (value: EventArg<T>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set()
    this.#handlers.set(type, handlers)
    // A wrapper for each subscription, since the same function may be passed twice.
    const own = (value: EventArg<T>) => handler(value)
    handlers.add(own)
    return () => { handlers.delete(own) }
  }

  emit<T extends keyof RoomEventMap> (type: T, value: RoomEventMap[T]): void { this.#call(type, value) }

  emitEvent (event: RoomEvent): void {
    this.emit('event', event)
    if (!RESERVED.has(event.type)) this.#call(event.type, event)
  }

  #call (type: string, value: unknown): void {
    for (const handler of [...this.#handlers.get(type) ?? []]) {
      try {
        handler(value)
      } catch (error) {
        // Rethrown in a microtask: the platform reports it as an uncaught error, and the room's own work goes on.
        queueMicrotask(() => { throw error })
      }
    }
  }
}
