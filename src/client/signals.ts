// Who listens to what: a typed emitter whose listeners cannot disturb the room or each other.
import type { PaymentEventType, PaymentState, Position, RoomError, RoomEvent, RoomMember } from './frames.js'

/** `connecting` until the first join or failure; `offline` while it is being tried again; `closed` is for good. */
export type Status = 'connecting' | 'online' | 'offline' | 'closed'

/** Events may have been missed between the two positions; the state is right, and what the log still holds follows. */
export interface Gap { readonly before: Position | undefined, readonly after: Position }

/** Why it is over: `code` is the socket's, `reason` the server's words, or `closed`, `expired` for the room, or `client` for `close()`. */
export interface Closing { readonly code: number, readonly reason: string }

/** What can be listened to, beside the types of events. */
export interface RoomEventMap {
  /** Every event of the log that another device or a backend sent, once and in order. */
  event: RoomEvent
  state: PaymentState
  status: Status
  members: readonly RoomMember[]
  gap: Gap
  /** What nobody else is told: a join that was refused, an event from before a reload that was refused. */
  error: RoomError
  closed: Closing
}

export type EventArg<T extends string> = T extends keyof RoomEventMap ? RoomEventMap[T] : T extends PaymentEventType ? RoomEvent<T> : RoomEvent

/** Names that a backend's own event types cannot take from the signals. */
const RESERVED = new Set<string>(['event', 'state', 'status', 'members', 'gap', 'error', 'closed'] satisfies Array<keyof RoomEventMap>)

export class Emitter {
  readonly #handlers = new Map<string, Set<(value: any) => void>>()

  /** @returns ends the subscription */
  on<T extends string> (type: T, handler: (value: EventArg<T>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set()
    this.#handlers.set(type, handlers)
    // One function may be given twice; each subscription is its own.
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
        // Reported as the platform reports any uncaught error, but not in the middle of our own work.
        queueMicrotask(() => { throw error })
      }
    }
  }
}
