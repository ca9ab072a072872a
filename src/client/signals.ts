// Typed event emitter: an exception in a listener disturbs neither the room nor other listeners.
import type { PaymentEventType, PaymentStalled, PaymentState, Position, RoomError, RoomEvent, RoomMember } from './frames.js'
import type { SettledStatus } from './payment.js'

/** `connecting` until the first join or failure; `offline` while the client reconnects; `closed` is final. */
export type Status = 'connecting' | 'online' | 'offline' | 'closed'

/** Events between the two positions may have been missed. The state is right, and the entries that are still in the log follow. */
export interface Gap { readonly before: Position | undefined, readonly after: Position }

/** Code of a room that was closed. The server announces it by a message and keeps the socket; the range says not to reconnect. */
export const ROOM_CLOSED = 4505

/** Reason for the end. `code` is the socket's close code; `reason` is the server's text, `closed` or `expired` for the room, or `client` for `close()`. */
export interface Closing { readonly code: number, readonly reason: string }

/** Result of a payment, see the signal `settled`. */
export interface Settled {
  readonly status: SettledStatus
  /** False if only a device says so: the payer's page, not the shop's backend. */
  readonly verified: boolean
  readonly state: PaymentState
}

/** Pause of the payer: `step` is the last one, `lastEventAt` its time, ms since the epoch. */
export type Stalled = Readonly<Pick<PaymentStalled, 'seq' | 'step' | 'lastEventAt'>>

/** Signals that can be listened to, besides the types of events. */
export interface RoomEventMap {
  /** Every event of the log that another device or a backend sent, once and in order. */
  event: RoomEvent
  /** The state has changed. The second argument is the state before, undefined for the first one. */
  state: PaymentState
  /**
   * The payment has a result. Emitted once for each status, also over a reload, and once more when a claimed success is verified. A failure is no result:
   * it ends an attempt, and the payer can try again.
   */
  settled: Settled
  status: Status
  members: readonly RoomMember[]
  /** The payer has begun, and nothing has happened for a while; once for each pause. Only with the option `stalls`. */
  stalled: Stalled
  gap: Gap
  /** Errors that no promise reports: a refused join, or a refused event that was published before a reload. */
  error: RoomError
  closed: Closing
}

export type EventArg<T extends string> = T extends keyof RoomEventMap ? RoomEventMap[T] : T extends PaymentEventType ? RoomEvent<T> : RoomEvent
/** Second argument of a handler. */
export type PreviousArg<T extends string> = T extends 'state' ? PaymentState | undefined : undefined

/** Names of the signals: an event type of a backend with such a name does not trigger the signal. */
const RESERVED: readonly string[] = ['event', 'state', 'settled', 'status', 'members', 'stalled', 'gap', 'error', 'closed'] satisfies Array<keyof RoomEventMap>

export class Emitter {
  readonly #handlers = new Map<string, Set<(value: any, previous: any) => void>>()

  /** @returns a function that ends the subscription */
  on<T extends string> (type: T, handler: (value: EventArg<T>, previous: PreviousArg<T>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set()
    this.#handlers.set(type, handlers)
    // A wrapper for each subscription, since the same function may be passed twice.
    const own = (value: EventArg<T>, previous: PreviousArg<T>) => handler(value, previous)
    handlers.add(own)
    return () => { handlers.delete(own) }
  }

  /** @returns whether the type has a handler */
  has (type: keyof RoomEventMap): boolean { return !!this.#handlers.get(type)?.size }

  emitEvent (event: RoomEvent): void {
    this.emit('event', event)
    if (!RESERVED.includes(event.type)) this.emit(event.type as 'event', event)
  }

  emit<T extends keyof RoomEventMap> (type: T, value: RoomEventMap[T], previous?: PreviousArg<T>): void {
    for (const handler of [...this.#handlers.get(type) ?? []]) {
      try {
        handler(value, previous)
      } catch (error) {
        // Rethrown in a microtask: the platform reports it as an uncaught error, and the room's own work goes on.
        queueMicrotask(() => { throw error })
      }
    }
  }
}
