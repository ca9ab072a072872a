// Payment state between two joins: the effect of a device's events, by the rules of the server. Each join brings the server's own state.
// test/payment/table.ts holds this fold, the server's and the script of Redis to one table.
import type { PaymentState } from './frames.js'

const PROGRESS = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY']
const BEGINS_ATTEMPT = ['CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'CLICKED_PAY']
const SETTLED = ['succeeded', 'partially_refunded', 'refunded', 'disputed'] as const

/** Statuses with a result. */
const RESULTS = [...SETTLED, 'cancelled', 'expired'] as const
export type SettledStatus = typeof RESULTS[number]

interface Fact { readonly type: string, readonly payload: Readonly<Record<string, unknown>>, readonly timestamp: number }

/**
 * Folds one live event of a device into the state. An event that changes nothing returns the same object. A verified result is not folded here, because
 * only the server knows all facts behind it.
 */
export function fold (state: PaymentState, fact: Fact): PaymentState {
  const next = advance(state, fact)
  return sameState(next, state) ? state : { ...next, updatedAt: fact.timestamp }
}

function advance (state: PaymentState, { type, payload }: Fact): PaymentState {
  if (type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR') return claim(state, type === 'PAYMENT_SUCCESS', payload)
  if (!PROGRESS.includes(type) || (SETTLED as readonly string[]).includes(state.status)) return state
  const chosen = pick(payload, type === 'PAYMENT_METHOD_CHANGED' ? ['method'] : type === 'DATA_FILLED' ? ['fields'] : [])
  const step = { ...chosen, step: type as NonNullable<PaymentState['step']> }
  if (state.status !== 'failed' || !BEGINS_ATTEMPT.includes(type)) return { ...state, ...step }
  const { outcome, ...rest } = state
  return { ...rest, ...step, status: 'pending', attempt: state.attempt + 1, lastError: outcome! }
}

/** A claim counts while nothing verified is known; between two claims a success stands. */
function claim (state: PaymentState, succeeded: boolean, payload: Fact['payload']): PaymentState {
  const { status, outcome, expected, currency } = state
  if (status !== 'pending' && (status !== 'failed' || outcome!.verified)) return state
  const claimed = { ...pick(payload, succeeded ? ['transactionId', 'amount', 'currency'] : ['error', 'code']) } as Record<string, unknown>
  if (claimed.transactionId !== undefined) claimed.transactionId = String(claimed.transactionId)
  if (claimed.amount !== undefined) claimed.amount = Number(claimed.amount)
  if (claimed.currency !== undefined) claimed.currency = (claimed.currency as string).toUpperCase()
  if (expected !== undefined && claimed.amount !== undefined && (claimed.amount !== expected || (claimed.currency ?? currency) !== currency)) claimed.mismatch = true
  return { ...state, status: succeeded ? 'succeeded' : 'failed', outcome: { ...claimed, verified: false } }
}

/** True if the payment has a result. A failure is none: it belongs to its attempt, and the payer can try again. */
export function isSettled (state: PaymentState): state is PaymentState & { status: SettledStatus } {
  return (RESULTS as readonly string[]).includes(state.status)
}

export function sameState (a: PaymentState | undefined, b: PaymentState | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function pick (payload: Fact['payload'], keys: string[]): object {
  return Object.fromEntries(keys.filter((key) => payload[key] !== undefined).map((key) => [key, payload[key]]))
}
