// Follows a room for a component: passes on its changes, and its events to the newest handlers.
import { connect, type ConnectOptions, type PaymentState, type Room, type RoomError, type RoomEvent, type RoomMember, type Settled, type Status } from 'ws-payment-client'

export interface PaymentRoomHandlers {
  /** Called for every event of another device or a backend, once and in order. */
  readonly onEvent?: ((event: RoomEvent) => void) | undefined
  /** Called once for each result, also over a reload: the place to print a receipt, if the result is `verified`. */
  readonly onSettled?: ((settled: Settled) => void) | undefined
  /** Called for errors that no promise reports, such as a refused token. */
  readonly onError?: ((error: RoomError) => void) | undefined
}

/** Members before the first list; always the same object, so that nothing is rendered again because of it. */
export const NOBODY: readonly RoomMember[] = []

/** Receiver of the room's changes; each function is called once at the beginning, too. */
export interface View {
  readonly status: (status: Status) => void
  readonly state: (state: PaymentState | undefined) => void
  readonly members: (members: readonly RoomMember[]) => void
}

/**
 * Joins a room.
 * @param handlers returns the newest handlers: a new handler is no reason to leave the room
 */
export function follow (options: ConnectOptions, view: View, handlers: () => PaymentRoomHandlers): Room {
  const room = connect(options)
  view.status(room.status)
  view.state(room.state)
  view.members(NOBODY)
  room.on('status', view.status)
  room.on('state', (state) => view.state(state))
  room.on('members', view.members)
  room.on('event', (event) => handlers().onEvent?.(event))
  room.on('error', (error) => handlers().onError?.(error))
  // A result counts as told once it has a handler.
  if (handlers().onSettled) room.on('settled', (settled) => handlers().onSettled?.(settled))
  return room
}

/** @returns whether a payer may press pay: not while a result is awaited, but again after a failure */
export function mayPay (status: Status, state: PaymentState | undefined): boolean {
  const isWaiting = state?.status === 'pending' && state.step === 'CLICKED_PAY'
  return status !== 'closed' && !isWaiting && (state?.status === 'pending' || state?.status === 'failed')
}
