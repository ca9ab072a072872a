// The payment in the room's hash: encodes an event for the publishing script, and encodes and decodes the stored fields.
import { BEGINS_ATTEMPT, outcomeOf, withMismatch, type PaymentFact } from '../../payment/device-events.js'
import { isVerifiedFact, type Payment } from '../../payment/state.js'
import { PROGRESS, type PaymentState } from '../../protocol/payment-state.js'

/** Form of a fact for the publishing script (lua/publish.lua): flags and kind. */
type FactForm = `${'' | 'a'}${'' | 'm' | 'f'} ${'' | 'step' | 'claim' | 'fold'}`

/** A fact for the publishing script: its form, and the values that belong to this. */
export interface ScriptFact { readonly form: FactForm, readonly values: readonly string[] }

const NO_FACT: ScriptFact = { form: ' ', values: [] }
const STEP: ScriptFact = { form: ' step', values: [] }
const FIRST_STEP: ScriptFact = { form: 'a step', values: [] }

/** Describes a device's event to the publishing script, which applies the rules of src/payment/device-events.ts. @returns undefined for a verified fact */
export function describeFact (fact: PaymentFact): ScriptFact | undefined {
  if (isVerifiedFact(fact)) return undefined
  const { type, payload: { method, fields } } = fact
  // The fold ranks claims itself; a verified result never comes here.
  if (type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR') return { form: ' claim', values: [type === 'PAYMENT_SUCCESS' ? 'succeeded' : 'failed', JSON.stringify(outcomeOf(fact))] }
  // Stored as JSON, so that an empty method differs from none.
  if (type === 'PAYMENT_METHOD_CHANGED' && method !== undefined) return { form: 'am step', values: [JSON.stringify(method)] }
  if (type === 'DATA_FILLED' && fields !== undefined) return { form: 'f step', values: [JSON.stringify(fields)] }
  if (!(PROGRESS as readonly string[]).includes(type)) return NO_FACT
  return BEGINS_ATTEMPT.has(type) ? FIRST_STEP : STEP
}

/** Describes a verified fact, which the script takes if the payment is still of the version that it was folded into. */
export function describeFold (version: string, before: Payment, after: Payment): ScriptFact {
  return { form: ' fold', values: [version, fieldsOf(after), after.state === before.state ? '' : '1'] }
}

/** Fields of a room's hash that hold the payment, in the order in which the scripts return them. */
const FIELDS = ['status', 'verified', 'step', 'method', 'fields', 'outcome', 'attempt', 'lastError', 'money', 'verdicts', 'ledger', 'link', 'updated', 'version'] as const
type Field = typeof FIELDS[number]

/** Keys of the state that are stored as one field. */
const MONEY = ['expected', 'currency', 'paid', 'refunded', 'balance'] as const

/** JSON of `[field, value, field, value …]`; a field with an empty value is deleted. */
export function fieldsOf ({ state, verdicts, ledger, link }: Payment): string {
  const { status, step, method, fields, outcome, attempt, lastError, updatedAt } = state
  const money = Object.fromEntries(MONEY.filter((key) => state[key] !== undefined).map((key) => [key, state[key]]))
  const values: Partial<Record<Field, string>> = {
    status,
    verified: outcome?.verified ? '1' : '',
    step: step ?? '',
    method: json(method),
    fields: json(fields),
    outcome: json(outcome),
    attempt: String(attempt),
    lastError: json(lastError),
    money: Object.keys(money).length > 0 ? json(money) : '',
    verdicts: json(verdicts),
    ledger: json(ledger),
    link: json(link),
    // A room that is created now has the time of Redis.
    updated: updatedAt === 0 ? '' : String(updatedAt)
  }
  return JSON.stringify(Object.entries(values).flat())
}

function json (value: unknown): string { return value === undefined ? '' : JSON.stringify(value) }

/**
 * Decodes the fields that a script returned.
 * @param createdAt ms since the epoch; `updatedAt` of the state until something happens
 */
export function paymentFrom (values: ReadonlyArray<string | null>, createdAt: number): Payment {
  const field = (name: Field) => values[FIELDS.indexOf(name)] ?? undefined
  const parsed = <T>(name: Field) => { const text = field(name); return text === undefined ? undefined : JSON.parse(text) as T }
  const money = parsed<Pick<PaymentState, typeof MONEY[number]>>('money')
  const [method, fields, outcome, lastError] = [parsed<string>('method'), parsed<string[]>('fields'), parsed<NonNullable<PaymentState['outcome']>>('outcome'), parsed<NonNullable<PaymentState['lastError']>>('lastError')]
  const [verdicts, ledger, link] = [parsed<NonNullable<Payment['verdicts']>>('verdicts'), parsed<NonNullable<Payment['ledger']>>('ledger'), parsed<NonNullable<Payment['link']>>('link')]
  return {
    state: {
      step: (field('step') ?? null) as PaymentState['step'],
      status: (field('status') ?? 'pending') as PaymentState['status'],
      attempt: Number(field('attempt') ?? 1),
      updatedAt: Number(field('updated') ?? createdAt),
      ...(method !== undefined && { method }),
      ...(fields && { fields }),
      // The script stores claims without the mark: it does not compare amounts.
      ...(outcome && { outcome: outcome.verified ? outcome : withMismatch(outcome, money ?? {}) }),
      ...(lastError && { lastError }),
      ...money
    },
    ...(verdicts && { verdicts }),
    ...(ledger && { ledger }),
    ...(link && { link })
  }
}

/** Version of a payment: the number of the event that changed it last, `created` for the terms of a created room, empty for a new payment. */
export function versionOf (values: ReadonlyArray<string | null>): string {
  return values[FIELDS.indexOf('version')] ?? (values[FIELDS.indexOf('status')] ? 'created' : '')
}
