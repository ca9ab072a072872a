// PagBank: https://developer.pagbank.com.br/reference/webhooks. The room is in the `reference_id` of the order.
// The signature: https://developer.pagbank.com.br/reference/confirmar-autenticidade-da-notificacao.
import { hash } from 'node:crypto'
import { decimalOf, headerOf, matches, NOT_JSON, objectOf, objectsIn, parseBody, resultOf, rowOf, type Fact, type Provider, type ProviderObject } from './provider.js'

type Reading = (charge: ProviderObject) => Fact | undefined

function money (value: unknown, currency: unknown) { return { amount: decimalOf(value, 2), currency } }

const summaryOf = ({ amount }: ProviderObject) => objectOf(objectOf(amount).summary)
const wasPaid = (charge: ProviderObject) => Boolean(charge.paid_at) || summaryOf(charge).paid > 0
const paid: Reading = ({ id, amount }) =>
  ({ type: 'PAYMENT_SUCCESS', payment: String(id), status: 'paid', payload: { transactionId: id, ...money(objectOf(amount).value, objectOf(amount).currency) } })
// `refunded` is the sum of all refunds so far, so the charge is the id of the refund: of two amounts the larger counts.
const refunded = (sum: unknown): Reading => ({ id, amount }) => typeof sum === 'number' && sum > 0
  ? { type: 'PAYMENT_REFUNDED', payment: String(id), status: `refunded:${sum}`, payload: { refundId: id, transactionId: id, ...money(sum, objectOf(amount).currency) } }
  : undefined
const pending = (reason: string): Reading => ({ id, payment_method: method }) =>
  ({ type: 'PAYMENT_PENDING', payment: String(id), status: reason, payload: { reason, method: objectOf(method).type } })

/** Facts that follow from the status of a charge. */
const STATUSES: Readonly<Record<string, readonly Reading[]>> = {
  // A charge with a partial refund is still paid.
  PAID: [paid, (charge) => refunded(summaryOf(charge).refunded)(charge)],
  WAITING: [pending('awaiting_payment')],
  IN_ANALYSIS: [pending('in_analysis')],
  AUTHORIZED: [pending('authorized')],
  DECLINED: [({ id, payment_response: response }) =>
    ({ type: 'PAYMENT_ERROR', payment: String(id), status: 'declined', payload: { error: objectOf(response).message, code: objectOf(response).code } })],
  // One word for a charge that was never paid, and for one that was paid back.
  CANCELED: [
    (charge) => wasPaid(charge) ? paid(charge) : undefined,
    (charge) => wasPaid(charge)
      ? refunded(summaryOf(charge).refunded || objectOf(charge.amount).value)(charge)
      : { type: 'PAYMENT_CANCELLED', payment: String(charge.id), status: 'canceled', payload: { reason: 'canceled' } }
  ]
}

/** @param tokens tokens of the account; during a rotation both */
export function pagbank (tokens: readonly string[]): Provider {
  return {
    read: (request) => {
      const signature = headerOf(request, 'x-authenticity-token')?.toLowerCase() ?? ''
      const expected = tokens.map((token) => hash('sha256', Buffer.concat([Buffer.from(`${token}-`), request.body])))
      if (!matches(signature, expected)) return { status: 401, reason: 'the signature is missing or not valid' }
      const body = parseBody(request.body)
      if (!body) return NOT_JSON
      // The body is an order with its charges, or one charge.
      const charges = Array.isArray(body.charges) ? objectsIn(body.charges) : [body]
      return {
        results: charges.flatMap((charge) => (rowOf(STATUSES, charge.status) ?? []).map((read) => read(charge)).filter((fact) => fact !== undefined)
          .map((fact) => resultOf(fact, body.reference_id ?? charge.reference_id)))
      }
    }
  }
}
