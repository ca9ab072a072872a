// Asaas: https://docs.asaas.com/docs/webhook-para-cobrancas; the token: https://docs.asaas.com/docs/sobre-os-webhooks. The room is in `payment.externalReference`.
import { centsOf, headerOf, matches, NOT_JSON, objectOf, objectsIn, parseBody, resultOf, rowOf, type Fact, type Provider, type ProviderObject } from './provider.js'

type Reading = (payment: ProviderObject) => Fact

/** Currency of all charges. */
const currency = 'BRL'

// A card is confirmed and weeks later received: one result.
const paid: Reading = ({ id, value }) => ({ type: 'PAYMENT_SUCCESS', payment: String(id), status: 'succeeded', payload: { transactionId: id, amount: centsOf(value), currency } })
const pending = (reason: string): Reading => ({ id, billingType: method }) => ({ type: 'PAYMENT_PENDING', payment: String(id), status: reason, payload: { reason, method } })
const failed = (code: string): Reading => ({ id }) => ({ type: 'PAYMENT_ERROR', payment: String(id), status: code, payload: { error: 'The payment was refused.', code } })
const cancelled = (reason: string): Reading => ({ id }) => ({ type: 'PAYMENT_CANCELLED', payment: String(id), status: reason, payload: { reason } })
const disputed = (outcome: string): Reading => ({ id, chargeback, value }) =>
  ({ type: 'PAYMENT_DISPUTED', payment: String(id), status: `disputed:${outcome}`, payload: { outcome, reason: objectOf(chargeback).reason, amount: centsOf(value), currency } })
// The amount is the sum of all refunds so far, so the payment is the id of the refund: of two amounts the larger counts.
const refunded = (sumOf: (payment: ProviderObject) => number): Reading => (payment) => {
  const [id, amount] = [payment.id, centsOf(sumOf(payment))]
  return { type: 'PAYMENT_REFUNDED', payment: String(id), status: `refunded:${amount}`, payload: { refundId: id, transactionId: id, amount, currency } }
}
const sumOfRefunds = ({ refunds }: ProviderObject) => objectsIn(refunds).filter(({ status }) => status === 'DONE').reduce((sum, { value }) => sum + Number(value), 0)

/** Readings of the events. The others, such as PAYMENT_CREATED or PAYMENT_CHECKOUT_VIEWED, say nothing about the result. */
const EVENTS: Readonly<Record<string, Reading>> = {
  PAYMENT_CONFIRMED: paid,
  PAYMENT_RECEIVED: paid,
  PAYMENT_DUNNING_RECEIVED: paid,
  PAYMENT_AUTHORIZED: pending('authorized'),
  PAYMENT_AWAITING_RISK_ANALYSIS: pending('in_analysis'),
  PAYMENT_REPROVED_BY_RISK_ANALYSIS: failed('reproved_by_risk_analysis'),
  PAYMENT_CREDIT_CARD_CAPTURE_REFUSED: failed('credit_card_capture_refused'),
  PAYMENT_OVERDUE: cancelled('overdue'),
  PAYMENT_DELETED: cancelled('deleted'),
  PAYMENT_REFUNDED: refunded(({ value }) => value),
  PAYMENT_PARTIALLY_REFUNDED: refunded(sumOfRefunds),
  PAYMENT_CHARGEBACK_REQUESTED: disputed('opened'),
  PAYMENT_CHARGEBACK_DISPUTE: disputed('opened'),
  // The shop has won, and waits for the money.
  PAYMENT_AWAITING_CHARGEBACK_REVERSAL: disputed('won')
}

/** @param tokens authentication tokens of the webhook; during a rotation both */
export function asaas (tokens: readonly string[]): Provider {
  return {
    read: (request) => {
      if (!matches(headerOf(request, 'asaas-access-token') ?? '', tokens)) return { status: 401, reason: 'the token is missing or not valid' }
      const body = parseBody(request.body)
      if (!body) return NOT_JSON
      const payment = objectOf(body.payment)
      const read = rowOf(EVENTS, body.event)
      return { results: read ? [resultOf(read(payment), payment.externalReference)] : [] }
    }
  }
}
