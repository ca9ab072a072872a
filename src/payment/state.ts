// Payment state derived from events: a pure fold (reducer), (state, event) → state.
import { isDeepStrictEqual } from 'node:util'
import { PROGRESS, type PaymentState } from '../protocol/payment-state.js'

/** Input of the fold: the relevant part of an event. The payload has been validated: a documented key that is present has its documented type. */
export interface PaymentFact {
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly timestamp: number
  /** True if a backend sent the event with an API key: its result is a fact, not a claim. */
  readonly verified?: boolean
}

/** Mutable PaymentState, used while the next state is built. */
type Changed = { -readonly [Key in keyof PaymentState]: PaymentState[Key] }

/** State of a payment before its first event. */
export function initialState (createdAt: number): PaymentState {
  return { step: null, status: 'pending', updatedAt: createdAt }
}

/**
 * Folds one event into the state. A success is final; an error may still be followed by a success; a verified result
 * outranks any unverified one. An event that changes nothing returns the same object.
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

/** Payload keys of a result event that are kept in the outcome. */
const OF_SUCCESS = ['transactionId', 'amount', 'currency']
const OF_ERROR = ['error', 'code']

/** Builds the outcome of a payment from its result event. */
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
  // Between two results of equal rank a success stands, and the first success counts.
  if (!outranks && !(equals && state.status !== 'succeeded')) return state
  const outcome = outcomeOf(fact)
  if (status === state.status && isDeepStrictEqual(outcome, state.outcome)) return state
  const next = copyOf(state, timestamp)
  next.status = status
  next.outcome = outcome
  return next
}

/** Copies key by key: `{ ...state }` yields an object of another hidden class each time, and V8 would have to look up its keys on every read. */
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
