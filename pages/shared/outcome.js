// @ts-check
// Result of a payment in the page's language: its mood, its facts, its amounts and its attempts. Both devices show it.
import { dateOf, money, words } from './i18n.js'

/** @typedef {import('./client/index.js').PaymentState} PaymentState */

/** Class of each status, for the colour. */
export const MOODS = /** @type {const} @satisfies {Record<PaymentState['status'], string>} */ ({
  pending: 'todo',
  processing: 'waiting',
  succeeded: 'done',
  failed: 'failed',
  cancelled: 'failed',
  expired: 'failed',
  partially_refunded: 'waiting',
  refunded: 'waiting',
  disputed: 'failed'
})

/** Text of each step of a payer. */
export const STEP_TEXTS = /** @type {const} @satisfies {Record<NonNullable<PaymentState['step']>, string>} */ ({
  ENTERED_SUMMARY: 'stepSummary',
  CLICKED_PROCEED: 'stepProceed',
  PAYMENT_METHOD_CHANGED: 'stepMethod',
  DATA_FILLED: 'stepData',
  CLICKED_PAY: 'stepPay'
})

/** Fields with a text; any other is shown by its name. */
const FIELDS = ['name', 'cpf', 'email', 'cardNumber', 'expiry', 'cvv']

/** Names of the fields that the payer has filled in. @param {readonly string[]} fields */
export const fieldsOf = (fields) => fields.map((name) => FIELDS.includes(name) ? words(name) : name).join(', ')

/** Statuses after the payer has paid. */
export const PAID = /** @type {ReadonlyArray<PaymentState['status']>} */ (['succeeded', 'partially_refunded', 'refunded', 'disputed'])

/** Texts of the documented reasons; any other reason is shown as it is. */
const REASONS = new Map([['awaiting_payment', 'awaitingPayment'], ['in_analysis', 'inAnalysis'], ['authorized', 'authorized']])
const BALANCES = /** @type {Record<string, string>} */ ({ under: 'balanceUnder', exact: 'balanceExact', over: 'balanceOver' })

/** Result in one line; empty while there is none. @param {PaymentState} state */
export function resultOf ({ status, outcome }) {
  if (status === 'pending') return ''
  const { verified } = outcome ?? {}
  return joined(words(status), factsOf(outcome), outcome?.late && words('late'), outcome?.mismatch && words('mismatch'), verified !== undefined && words(verified ? 'verified' : 'claimed'))
}

/** Facts of an outcome. @param {PaymentState['outcome']} outcome */
export function factsOf ({ amount, currency, transactionId, error, code, reason, method, expiresAt } = { verified: false }) {
  return joined(amount !== undefined && money(amount, currency), transactionId, error, code, reason && words(REASONS.get(reason) ?? reason), method && words(method),
    expiresAt !== undefined && words('payUntil', { time: dateOf(expiresAt) }))
}

/** Amount paid beside the expected one; empty if none is expected. @param {PaymentState} state */
export function balanceOf ({ expected, paid = 0, balance, currency }) {
  if (expected === undefined) return ''
  return joined(words('paidOf', { paid: money(paid, currency), expected: money(expected, currency) }), balance && BALANCES[balance] && words(BALANCES[balance]))
}

/** Sum of the refunds; empty without one. @param {PaymentState} state */
export function refundOf ({ refunded, currency }) {
  return refunded === undefined ? '' : words('refundedAmount', { amount: money(refunded, currency) })
}

/** Number of the attempt and the failure before it; empty in the first attempt. @param {PaymentState} state */
export function attemptOf ({ attempt, lastError }) {
  return attempt === 1 ? '' : joined(words('attempt', { attempt }), lastError && words('lastError', { error: factsOf(lastError) || '–' }))
}

/** @param {...(string | false | undefined)} parts */
function joined (...parts) { return parts.filter(Boolean).join(' · ') }

/** What a shop must look into: more than one payer, and more than one transaction. @param {number} payers @param {ReadonlySet<string>} transactions @returns {string[]} */
export function warningsOf (payers, transactions) {
  return [
    ...(payers > 1 ? [words('twoPayers', { count: payers })] : []),
    ...(transactions.size > 1 ? [words('twoTransactions', { count: transactions.size, ids: [...transactions].join(', ') })] : [])
  ]
}

/** Adds the transaction of a success. @param {Set<string>} transactions @param {{ type: string, payload?: Record<string, any> }} event */
export function noteTransaction (transactions, { type, payload: { transactionId } = {} }) {
  if (type === 'PAYMENT_SUCCESS' && transactionId !== undefined) transactions.add(String(transactionId))
}
