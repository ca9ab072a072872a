// The payment as its events tell it: a pure fold, (state, event) → state.
import { isDeepStrictEqual } from 'node:util'
import { PROGRESS, type PaymentState } from '../protocol/payment-state.js'

/** What the fold needs to know of an event. Its payload was validated: a documented key that is there has its documented type. */
export interface PaymentFact {
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly timestamp: number
  /** A backend said it with an API key, so a result is a fact and not a claim. */
  readonly verified?: boolean
}

/** A state that is being put together. */
type Changed = { -readonly [Key in keyof PaymentState]: PaymentState[Key] }

/** The state of a payment of which nothing is known yet. */
export function initialState (createdAt: number): PaymentState {
  return { step: null, status: 'pending', updatedAt: createdAt }
}

/**
 * Folds one event into the state. A success is final; an error may still be followed by a success; a verified result
 * outranks any claim. An event that changes nothing returns the very same object.
 */
export function fold (state: PaymentState, fact: PaymentFact): PaymentState {
  const { type, payload, timestamp } = fact
  if (type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR') return foldResult(state, fact)
  if (!isProgress(type) || state.status === 'succeeded') return state
  const { method, fields } = payload
  const hasMethod = type === 'PAYMENT_METHOD_CHANGED' && method !== undefined && method !== state.method
  const hasFields = type === 'DATA_FILLED' && fields !== undefined && !isDeepStrictEqual(fields, state.fields)
  if (type === state.step && !hasMethod && !hasFields) return state
  const next = copyOf(state, timestamp)
  next.step = type
  if (hasMethod) next.method = method as string
  if (hasFields) next.fields = fields as string[]
  return next
}

/** The keys of a result that are kept. */
const OF_SUCCESS = ['transactionId', 'amount', 'currency']
const OF_ERROR = ['error', 'code']

/** What a result says of the payment. */
export function outcomeOf ({ type, payload, verified = false }: PaymentFact): NonNullable<PaymentState['outcome']> {
  const outcome: Record<string, unknown> = {}
  for (const key of type === 'PAYMENT_SUCCESS' ? OF_SUCCESS : OF_ERROR) if (payload[key] !== undefined) outcome[key] = payload[key]
  outcome.verified = verified
  return outcome as NonNullable<PaymentState['outcome']>
}

function foldResult (state: PaymentState, fact: PaymentFact): PaymentState {
  const { type, timestamp, verified = false } = fact
  const status = type === 'PAYMENT_SUCCESS' ? 'succeeded' : 'failed'
  const outranks = verified && !state.outcome?.verified
  const equals = verified === (state.outcome?.verified ?? false)
  // Between two results of one rank a success stands, and its first telling is the one that counts.
  if (!outranks && !(equals && state.status !== 'succeeded')) return state
  const outcome = outcomeOf(fact)
  if (status === state.status && isDeepStrictEqual(outcome, state.outcome)) return state
  const next = copyOf(state, timestamp)
  next.status = status
  next.outcome = outcome
  return next
}

/** Key by key: what `{ ...state }` makes is of another shape each time, and V8 would have to look for its keys whenever they are read. */
function copyOf ({ step, status, method, fields, outcome }: PaymentState, updatedAt: number): Changed {
  const copy: Changed = { step, status, updatedAt }
  if (method !== undefined) copy.method = method
  if (fields !== undefined) copy.fields = fields
  if (outcome !== undefined) copy.outcome = outcome
  return copy
}

function isProgress (type: string): type is typeof PROGRESS[number] {
  return (PROGRESS as readonly string[]).includes(type)
}
