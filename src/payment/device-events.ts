// Effect of a device's events on the state of a payment: progress, attempts, and claims of a result. A pure fold (reducer), (state, event) → state.
// The same rules stand in the publishing script of Redis and in the client; test/payment/table.ts holds all three to one table.
import { isDeepStrictEqual } from 'node:util'
import { toMinorUnits, type Amount } from '../protocol/money.js'
import { PROGRESS, type Outcome, type PaymentState, type PaymentStatus } from '../protocol/payment-state.js'

/** Input of the fold: the relevant part of an event. The payload has been validated: a documented key that is present has its documented type. */
export interface PaymentFact {
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly timestamp: number
  /** True if a backend or this server sent the event: its result is a fact, not a claim. */
  readonly verified?: boolean
}

/** Mutable PaymentState, used while the next state is built. */
export type Changed = { -readonly [Key in keyof PaymentState]: PaymentState[Key] }

/** Statuses of a payment that succeeded at some time: its progress is over. */
export const SETTLED: ReadonlySet<PaymentStatus> = new Set(['succeeded', 'partially_refunded', 'refunded', 'disputed'])
/** Steps that begin the next attempt after a failure. */
export const BEGINS_ATTEMPT: ReadonlySet<string> = new Set(['CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'CLICKED_PAY'])

/** Folds a device's event into the state. An event that changes nothing returns the same object. */
export function foldDeviceEvent (state: PaymentState, fact: PaymentFact): PaymentState {
  const { type } = fact
  if (type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR') return foldClaim(state, fact)
  return isProgress(type) ? foldProgress(state, type, fact) : state
}

function foldProgress (state: PaymentState, step: typeof PROGRESS[number], { payload: { method, fields }, timestamp }: PaymentFact): PaymentState {
  if (SETTLED.has(state.status)) return state
  const beginsAttempt = state.status === 'failed' && BEGINS_ATTEMPT.has(step)
  const hasMethod = step === 'PAYMENT_METHOD_CHANGED' && method !== undefined && method !== state.method
  const hasFields = step === 'DATA_FILLED' && fields !== undefined && !isDeepStrictEqual(fields, state.fields)
  if (step === state.step && !beginsAttempt && !hasMethod && !hasFields) return state
  const next = copyOf(state, timestamp)
  next.step = step
  if (hasMethod) next.method = method as string
  if (hasFields) next.fields = fields as string[]
  if (beginsAttempt) {
    next.status = 'pending'
    next.attempt++
    next.lastError = state.outcome!
    delete next.outcome
  }
  return next
}

/** A claim counts while nothing verified is known of this attempt. Between two claims a success stands, and the first success counts. */
function foldClaim (state: PaymentState, fact: PaymentFact): PaymentState {
  const isOpen = state.status === 'pending' || (state.status === 'failed' && !state.outcome!.verified)
  if (!isOpen) return state
  const outcome = withMismatch(outcomeOf(fact), state)
  const status = fact.type === 'PAYMENT_SUCCESS' ? 'succeeded' : 'failed'
  if (status === state.status && isDeepStrictEqual(outcome, state.outcome)) return state
  const next = copyOf(state, fact.timestamp)
  next.status = status
  next.outcome = outcome
  return next
}

/** Payload keys that the outcome keeps, by type of event. */
const OUTCOME_KEYS: Readonly<Record<string, readonly string[]>> = {
  PAYMENT_SUCCESS: ['transactionId', 'amount', 'currency'],
  PAYMENT_ERROR: ['error', 'code'],
  PAYMENT_PENDING: ['reason', 'method', 'expiresAt'],
  PAYMENT_CANCELLED: ['reason'],
  PAYMENT_REFUNDED: ['transactionId', 'amount', 'currency'],
  PAYMENT_DISPUTED: ['reason']
}
/** Keys whose value has another form in the outcome than in the event. */
const FORMS: Readonly<Record<string, (value: any) => unknown>> = {
  transactionId: String, amount: Number, currency: (code: string) => code.toUpperCase()
}

/** Builds an outcome from a result event: text as `transactionId`, a number as `amount`, and the currency in upper case. */
export function outcomeOf ({ type, payload, verified = false }: PaymentFact): Outcome {
  const outcome: Record<string, unknown> = {}
  for (const key of OUTCOME_KEYS[type]!) if (payload[key] !== undefined) outcome[key] = FORMS[key]?.(payload[key]) ?? payload[key]
  outcome.verified = verified
  return outcome as Outcome
}

/** Marks the outcome of a success whose amount or currency is not the expected one. */
export function withMismatch (outcome: Outcome, { expected, currency }: Pick<PaymentState, 'expected' | 'currency'>): Outcome {
  const { mismatch: _, ...rest } = outcome
  if (expected === undefined || outcome.amount === undefined) return rest
  const isSame = (outcome.currency ?? currency) === currency && toMinorUnits(outcome.amount as Amount, currency) === toMinorUnits(expected, currency)
  return isSame ? rest : { ...rest, mismatch: true }
}

/** Copies key by key: `{ ...state }` yields an object of another hidden class each time, and V8 would have to look up its keys on every read. */
export function copyOf (state: PaymentState, updatedAt: number): Changed {
  const { step, status, attempt, method, fields, outcome } = state
  const copy: Changed = { step, status, attempt, updatedAt }
  if (method !== undefined) copy.method = method
  if (fields !== undefined) copy.fields = fields
  if (outcome !== undefined) copy.outcome = outcome
  // Few payments have one of these.
  for (const key of RARE) if (state[key] !== undefined) copy[key] = state[key] as never
  return copy
}

const RARE = ['lastError', 'expected', 'currency', 'paid', 'refunded', 'balance'] as const

function isProgress (type: string): type is typeof PROGRESS[number] { return (PROGRESS as readonly string[]).includes(type) }
