// The payment's state in the room's hash: encodes an event for the publishing script, and decodes the stored fields.
import { outcomeOf, type PaymentFact } from '../../payment/state.js'
import type { PaymentState } from '../../protocol/payment-state.js'
import { PROGRESS } from '../../protocol/payment-state.js'

/** Fields of a room's hash that hold the payment's state, as read. */
export interface StateFields {
  readonly rank: string | null
  readonly outcome: string | null
  readonly step: string | null
  readonly method: string | null
  readonly fields: string | null
  readonly updated: string | null
}

/** Arguments of the publishing script: the kind of fact and three values of it. The script applies the rules of the fold to these alone. */
export function describeFact (fact: PaymentFact): [kind: string, a: string | number, b: string, c: string] {
  const { type, payload: { method, fields }, verified = false } = fact
  if (type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR') {
    const rank = (verified ? 2 : 0) + (type === 'PAYMENT_SUCCESS' ? 2 : 1)
    return ['result', rank, JSON.stringify(outcomeOf(fact)), '']
  }
  if (!(PROGRESS as readonly string[]).includes(type)) return ['', '', '', '']
  // Quoted as JSON, so that an empty method differs from none.
  return ['step', type,
    type === 'PAYMENT_METHOD_CHANGED' && method !== undefined ? JSON.stringify(method) : '',
    type === 'DATA_FILLED' && fields !== undefined ? JSON.stringify(fields) : '']
}

/** @param createdAt ms since the epoch; `updatedAt` of the state until something happens */
export function stateFrom ({ rank, outcome, step, method, fields, updated }: StateFields, createdAt: number): PaymentState {
  return {
    step: step as PaymentState['step'],
    status: rank === null ? 'pending' : Number(rank) % 2 === 0 ? 'succeeded' : 'failed',
    updatedAt: updated === null ? createdAt : Number(updated),
    ...(method !== null && { method: JSON.parse(method) as string }),
    ...(fields !== null && { fields: JSON.parse(fields) as string[] }),
    ...(outcome !== null && { outcome: JSON.parse(outcome) as NonNullable<PaymentState['outcome']> })
  }
}
