// Stripe: https://docs.stripe.com/webhooks. The room is in `metadata.roomId` or in `client_reference_id`.
import { decimalOf, headerOf, NOT_JSON, objectOf, parseBody, resultOf, rowOf, TOLERANCE, type Delivered, type Fact, type Provider, type ProviderObject, type ProviderRequest, type Refusal } from './provider.js'

type Reading = (object: ProviderObject) => Fact

/** Currencies whose amounts Stripe sends without decimals, and with three: https://docs.stripe.com/currencies. All others, ISK and UGX too, have two. */
const WITHOUT_DECIMALS = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '))
const WITH_THREE = new Set('bhd jod kwd omr tnd'.split(' '))

function money (amount: unknown, currency: string): { amount: string | undefined, currency: string } {
  return { amount: decimalOf(amount, WITHOUT_DECIMALS.has(currency) ? 0 : WITH_THREE.has(currency) ? 3 : 2), currency }
}

const sessionPaid: Reading = ({ id, payment_intent: intent, amount_total: amount, currency }) => {
  const payment = String(intent ?? id)
  return { type: 'PAYMENT_SUCCESS', payment, status: 'succeeded', payload: { transactionId: payment, ...money(amount, currency) } }
}
const ofIntent = (intent: ProviderObject, status: string, type: Fact['type'], payload: object): Fact => ({ type, payment: intent.id, status, payload: { ...payload } })
const dispute: Reading = ({ id, payment_intent: intent, charge, status, reason, amount, currency }) => {
  const outcome = rowOf({ won: 'won', warning_closed: 'won', lost: 'lost' }, status) ?? 'opened'
  return { type: 'PAYMENT_DISPUTED', payment: String(intent ?? charge), status: `${id}:${outcome}`, payload: { reason, outcome, ...money(amount, currency) } }
}

/** Readings of the events, by type. */
const EVENTS: Readonly<Record<string, Reading>> = {
  'checkout.session.completed': (session) => session.payment_status !== 'unpaid'
    ? sessionPaid(session)
    : { type: 'PAYMENT_PENDING', payment: String(session.payment_intent ?? session.id), status: 'awaiting_payment', payload: { reason: 'awaiting_payment' } },
  'checkout.session.async_payment_succeeded': sessionPaid,
  'checkout.session.async_payment_failed': ({ id, payment_intent: intent }) => ({ type: 'PAYMENT_ERROR', payment: String(intent ?? id), status: 'failed', payload: { error: 'The payment failed.' } }),
  'checkout.session.expired': ({ id }) => ({ type: 'PAYMENT_CANCELLED', payment: id, status: 'expired', payload: { reason: 'expired' } }),
  'payment_intent.succeeded': (intent) => ofIntent(intent, 'succeeded', 'PAYMENT_SUCCESS', { transactionId: intent.id, ...money(intent.amount_received, intent.currency) }),
  'payment_intent.processing': (intent) => ofIntent(intent, 'processing', 'PAYMENT_PENDING', { reason: 'in_analysis' }),
  // An intent may fail several times; each failed charge is a failure of its own.
  'payment_intent.payment_failed': (intent) => ofIntent(intent, `failed:${intent.latest_charge ?? ''}`, 'PAYMENT_ERROR',
    { error: intent.last_payment_error?.message, code: intent.last_payment_error?.decline_code ?? intent.last_payment_error?.code }),
  'payment_intent.canceled': (intent) => ofIntent(intent, 'canceled', 'PAYMENT_CANCELLED', { reason: intent.cancellation_reason }),
  // `amount_refunded` is the sum of all refunds of the charge so far, so the charge is the id of the refund: of two amounts the larger counts.
  'charge.refunded': ({ id, payment_intent: intent, amount_refunded: refunded, currency }) => ({
    type: 'PAYMENT_REFUNDED', payment: String(intent ?? id), status: `refunded:${refunded}`, payload: { refundId: id, transactionId: String(intent ?? id), ...money(refunded, currency) }
  }),
  'charge.dispute.created': dispute,
  'charge.dispute.updated': dispute,
  'charge.dispute.closed': dispute
}

/** @param secrets signing secrets of the endpoint, `whsec_…`; during a rotation both */
export async function stripe (secrets: readonly string[]): Promise<Provider> {
  const { default: Stripe } = await import('stripe')

  /** Finds the reason for which the signature does not hold. */
  function faultOf (request: ProviderRequest): string | undefined {
    const signature = headerOf(request, 'stripe-signature') ?? ''
    const time = Number(/(?:^|,)t=(\d+)/.exec(signature)?.[1])
    // The library refuses old signatures, but not those of the future.
    if (!(time - request.now / 1000 <= TOLERANCE)) return 'the signature is missing or from the future'
    const isSigned = secrets.some((secret) => {
      try {
        Stripe.webhooks.constructEvent(request.body, signature, secret, TOLERANCE, undefined, request.now)
        return true
      } catch (error) {
        // The library parses the body once its signature holds.
        return error instanceof SyntaxError
      }
    })
    return isSigned ? undefined : 'the signature is not valid, or too old'
  }

  return {
    read: (request): Delivered | Refusal => {
      const reason = faultOf(request)
      if (reason !== undefined) return { status: 401, reason }
      const event = parseBody(request.body)
      if (!event) return NOT_JSON
      const object = objectOf(objectOf(event.data).object)
      const read = rowOf(EVENTS, event.type)
      return { results: read ? [resultOf(read(object), object.metadata?.roomId ?? object.client_reference_id)] : [] }
    }
  }
}
