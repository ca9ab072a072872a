// Messages as the client sees them: types derived from the protocol, and the error of a refusal.
import type { DevicePaymentEvent, EVENTS, PaymentEventType, Role, Source } from '../protocol/events.js'
import type { Outcome, PaymentState, PaymentStatus } from '../protocol/payment-state.js'
import type { Ack, ErrorFrame, PaymentStalled, RoomMember } from '../protocol/server-frames.js'

export type { Ack, DevicePaymentEvent, Outcome, PaymentEventType, PaymentStalled, PaymentState, PaymentStatus, Role, RoomMember, Source }

/** A position in the room's log: `seq` counts 1, 2, 3 … within one `epoch`. */
export interface Position { readonly epoch: string, readonly seq: number }

/** Position of an own event in the room's log; `duplicate` if the id was logged before. */
export type Receipt = Readonly<Pick<Ack, 'epoch' | 'seq' | 'duplicate'>>

/** Documented payload of an event, without the keys that the client fills in. */
export type PayloadOf<T extends PaymentEventType> = Omit<typeof EVENTS[T]['schema']['static'], 'roomId' | 'deviceId'>

/** An event of the room's log, as delivered to the application. The type of an API broadcast is chosen by the backend. */
export interface RoomEvent<T extends string = string> {
  readonly type: T
  readonly payload: Readonly<Record<string, unknown>> & { readonly roomId: string, readonly deviceId?: string } &
    (T extends PaymentEventType ? Readonly<PayloadOf<T>> : unknown)
  readonly epoch: string
  readonly seq: number
  /** Time at which the server accepted the event, ms since the epoch. */
  readonly timestamp: number
  readonly source: Source
  /** True if the server has masked card numbers in the payload. */
  readonly redacted?: true
  readonly id?: string
}

/** Any message of the server. The keys of its payload depend on its type. */
export interface Frame {
  readonly type: string
  readonly payload: Record<string, unknown> & { roomId: string }
  readonly seq?: number
  readonly timestamp?: number
  readonly source?: Source
  readonly redacted?: true
  readonly id?: string
}

/** Reason for a refusal. `code` is one of the server's, or one of the client's own: `CLOSED`, `OUTBOX_FULL`, `TOO_LARGE` or `UNREACHABLE`. */
export class RoomError extends Error {
  /** @param retryable whether the same call can succeed later */
  constructor (readonly code: ErrorFrame['code'] | 'CLOSED' | 'OUTBOX_FULL' | 'TOO_LARGE' | 'UNREACHABLE', message: string, readonly retryable = false) {
    super(message)
    this.name = 'RoomError'
  }
}
