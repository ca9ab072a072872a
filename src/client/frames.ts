// What travels, as the client sees it: types alone, taken from the protocol.
import type { EVENTS, PaymentEventType, Role, Source } from '../protocol/events.js'
import type { PaymentState } from '../protocol/payment-state.js'
import type { Ack, ErrorFrame, RoomMember } from '../protocol/server-frames.js'

export type { Ack, PaymentEventType, PaymentState, Role, RoomMember, Source }

/** A place in the room's log: `seq` counts 1, 2, 3 … within one `epoch`. */
export interface Position { readonly epoch: string, readonly seq: number }

/** Where an event of ours is in the room's log. */
export type Receipt = Readonly<Pick<Ack, 'epoch' | 'seq' | 'duplicate'>>

/** The documented payload of an event, without what the client fills in itself. */
export type PayloadOf<T extends PaymentEventType> = Omit<typeof EVENTS[T]['schema']['static'], 'roomId' | 'deviceId'>

/** An event of the room's log, as it is handed to the application. An API broadcast has a type of the backend's choosing. */
export interface RoomEvent<T extends string = string> {
  readonly type: T
  readonly payload: Readonly<Record<string, unknown>> & { readonly roomId: string, readonly deviceId?: string } &
    (T extends PaymentEventType ? Readonly<PayloadOf<T>> : unknown)
  readonly epoch: string
  readonly seq: number
  /** ms since the epoch, when the server accepted it. */
  readonly timestamp: number
  readonly source: Source
  readonly id?: string
}

/** Any frame of the server; which keys its payload has depends on its type. */
export interface Frame {
  readonly type: string
  readonly payload: Record<string, unknown> & { roomId: string }
  readonly seq?: number
  readonly timestamp?: number
  readonly source?: Source
  readonly id?: string
}

/** Why something was refused. `code` is one of the server's, or `CLOSED`, `OUTBOX_FULL`, `TOO_LARGE` or `UNREACHABLE`, which are the client's own. */
export class RoomError extends Error {
  /** @param retryable whether the same thing can succeed later */
  constructor (readonly code: ErrorFrame['code'] | 'CLOSED' | 'OUTBOX_FULL' | 'TOO_LARGE' | 'UNREACHABLE', message: string, readonly retryable = false) {
    super(message)
    this.name = 'RoomError'
  }
}
