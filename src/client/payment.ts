// Payment state between two joins: a small version of the server's fold, over the live events. Each join brings the server's own state.
import type { PaymentState } from './frames.js'

const PROGRESS = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY']

interface Fact { readonly type: string, readonly payload: Readonly<Record<string, unknown>>, readonly timestamp: number }

/**
 * Folds one live event of a device into the state. A success is final; an error may be followed by a success. An event that changes nothing
 * returns the same object. A backend's result is not folded here, because only the server knows whether it is verified.
 */
export function fold (state: PaymentState, fact: Fact): PaymentState {
  const next = advance(state, fact)
  return sameState(next, state) ? state : { ...next, updatedAt: fact.timestamp }
}

function advance (state: PaymentState, { type, payload }: Fact): PaymentState {
  if (state.status === 'succeeded') return state
  const succeeded = type === 'PAYMENT_SUCCESS'
  if (succeeded || type === 'PAYMENT_ERROR') {
    if (state.outcome?.verified) return state
    const outcome = pick(payload, succeeded ? ['transactionId', 'amount', 'currency'] : ['error', 'code'])
    return { ...state, status: succeeded ? 'succeeded' : 'failed', outcome: { ...outcome, verified: false } }
  }
  if (!PROGRESS.includes(type)) return state
  return { ...state, ...pick(payload, type === 'PAYMENT_METHOD_CHANGED' ? ['method'] : type === 'DATA_FILLED' ? ['fields'] : []), step: type as PaymentState['step'] }
}

export function sameState (a: PaymentState | undefined, b: PaymentState | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function pick (payload: Fact['payload'], keys: string[]): object {
  return Object.fromEntries(keys.filter((key) => payload[key] !== undefined).map((key) => [key, payload[key]]))
}
