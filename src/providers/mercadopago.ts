// Mercado Pago: https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks. The room is in `external_reference`.
// The signature covers the id of the payment and the time, but not the body: the facts come from the API, which also has the statuses
// (https://www.mercadopago.com.br/developers/pt/reference/payments/_payments_id/get).
import { centsOf, headerOf, NOT_JSON, parseBody, resultOf, rowOf, TOLERANCE, type Fact, type Provider, type ProviderObject, type ProviderRequest, type Refusal } from './provider.js'

/** Deadline of a request to the API, ms. Mercado Pago waits 22 s for the answer to a webhook. */
const DEADLINE = 5_000

/** Units of the time in a signature: the documentation shows seconds, and notifications also have milliseconds. */
const UNITS = [1, 1000]

/** Statuses of the API for an access token that is wrong, or not of this account. */
const WRONG_TOKEN = new Set([401, 403])

type Reading = (payment: ProviderObject) => Fact | undefined

const paid: Reading = ({ id, transaction_amount: amount, currency_id: currency }) =>
  ({ type: 'PAYMENT_SUCCESS', payment: String(id), status: 'approved', payload: { transactionId: String(id), amount: centsOf(amount), currency } })
// `transaction_amount_refunded` is the sum of all refunds so far, so the payment is the id of the refund: of two amounts the larger counts.
const refunded: Reading = ({ id, transaction_amount_refunded: amount, currency_id: currency }) => amount > 0
  ? { type: 'PAYMENT_REFUNDED', payment: String(id), status: `refunded:${amount}`, payload: { refundId: String(id), transactionId: String(id), amount: centsOf(amount), currency } }
  : undefined
const refundedAll: Reading = (payment) => refunded({ ...payment, transaction_amount_refunded: payment.transaction_amount_refunded || payment.transaction_amount })
const pending = (reason: string): Reading => ({ id, status, payment_method_id: method, date_of_expiration: expiry }) =>
  ({ type: 'PAYMENT_PENDING', payment: String(id), status, payload: { reason, method, expiresAt: Date.parse(expiry) || undefined } })
const disputed = (outcomeOf: (detail: unknown) => string): Reading => ({ id, status_detail: detail }) => {
  const outcome = outcomeOf(detail)
  return { type: 'PAYMENT_DISPUTED', payment: String(id), status: `disputed:${outcome}`, payload: { reason: detail, outcome } }
}

/** Facts that follow from the status of a payment. */
const STATUSES: Readonly<Record<string, readonly Reading[]>> = {
  // A payment with a partial refund is still approved.
  approved: [paid, refunded],
  pending: [pending('awaiting_payment')],
  in_process: [pending('in_analysis')],
  authorized: [pending('authorized')],
  rejected: [({ id, status_detail: code }) => ({ type: 'PAYMENT_ERROR', payment: String(id), status: 'rejected', payload: { error: 'The payment was rejected.', code } })],
  cancelled: [({ id, status_detail: reason }) => ({ type: 'PAYMENT_CANCELLED', payment: String(id), status: 'cancelled', payload: { reason } })],
  refunded: [paid, refundedAll],
  in_mediation: [paid, disputed(() => 'opened')],
  // `settled`: the money stays with the payer; `reimbursed`: the shop has it back.
  charged_back: [paid, disputed((detail) => rowOf({ settled: 'lost', reimbursed: 'won' }, detail) ?? 'opened')]
}

/**
 * @param secrets secret signatures of the application; during a rotation both
 * @param tokens access tokens; during a rotation both
 * @param url of the API
 */
export async function mercadopago (secrets: readonly string[], tokens: readonly string[], url: string): Promise<Provider> {
  const { WebhookSignatureValidator } = await import('mercadopago')

  function isSigned (request: ProviderRequest, dataId: string): boolean {
    const [xSignature, xRequestId] = [headerOf(request, 'x-signature'), headerOf(request, 'x-request-id')]
    return secrets.some((secret) => UNITS.some((unit) => {
      try {
        // The library reads seconds; a clock that is as much faster reads milliseconds.
        WebhookSignatureValidator.validate({ xSignature, xRequestId, dataId, secret, toleranceSeconds: TOLERANCE * unit, now: () => request.now * unit })
        return true
      } catch {
        return false
      }
    }))
  }

  return {
    read: async (request) => {
      const dataId = String(request.query['data.id'] ?? '').toLowerCase()
      if (!isSigned(request, dataId)) return { status: 401, reason: 'the signature is missing, not valid, too old or from the future' }
      const body = parseBody(request.body)
      if (!body) return NOT_JSON
      if ((request.query.type ?? body.type) !== 'payment' || !/^\d{1,20}$/.test(dataId)) return { results: [] }
      const answer = await paymentOf(dataId, tokens, url)
      if ('refusal' in answer) return answer.refusal
      const { payment } = answer
      const facts = (rowOf(STATUSES, payment.status) ?? []).map((read) => read(payment)).filter((fact) => fact !== undefined)
      return { results: facts.map((fact) => resultOf(fact, payment.external_reference)) }
    }
  }
}

/** Reads a payment from the API. A payment that the API does not know is asked for again later: a notification may be faster than the API. */
async function paymentOf (id: string, tokens: readonly string[], url: string): Promise<{ readonly payment: ProviderObject } | { readonly refusal: Refusal }> {
  const signal = AbortSignal.timeout(DEADLINE)
  let status = 0
  try {
    for (const token of tokens) {
      const response = await fetch(`${url.replace(/\/$/, '')}/v1/payments/${id}`, { headers: { authorization: `Bearer ${token}` }, redirect: 'error', signal })
      const payment = parseBody(Buffer.from(await response.arrayBuffer()))
      if (response.ok && payment) return { payment }
      status = response.status
      if (!WRONG_TOKEN.has(status)) break
    }
  } catch {
    return { refusal: { status: 503, reason: 'the API of Mercado Pago could not be reached, or did not answer in time' } }
  }
  if (!WRONG_TOKEN.has(status)) return { refusal: { status: 503, reason: status === 404 ? 'the API of Mercado Pago does not know the payment' : `the API of Mercado Pago answered ${status}` } }
  return { refusal: { status: 503, reason: `the API of Mercado Pago answered ${status}: check MERCADOPAGO_ACCESS_TOKEN, which must be of the account of the webhook`, forOperator: true } }
}
