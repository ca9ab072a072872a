// Payment events from REST requests: the checks of a socket's message, and the room in the URL.
import { Failure } from '../errors.js'
import type { Sender } from '../protocol/card-data.js'
import { checkFrame } from '../protocol/decode.js'
import type { PaymentEvent } from './publisher.js'

/** Event as a request has it, valid by the schema of the route. */
export interface RequestedEvent { readonly type: string, readonly payload?: object, readonly id?: string }

/** Checks an event. Card numbers in its texts are masked in the event itself. @param roomId room in the URL, which the payload may leave out */
export function checkEvent (roomId: string, { type, payload = {}, id }: RequestedEvent, sender: Sender): PaymentEvent | Failure {
  const frame = checkFrame({ type, payload: 'roomId' in payload ? payload : { roomId, ...payload }, ...(id !== undefined && { id }) }, { sender })
  if ('failure' in frame) return frame.failure
  return frame.payload.roomId === roomId ? frame as PaymentEvent : new Failure('INVALID_REQUEST', 'payload.roomId must be the room in the URL')
}
