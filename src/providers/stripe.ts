// Stripe: https://docs.stripe.com/webhooks. The room is in `metadata.roomId` or in `client_reference_id`.
import { decimalOf, headerOf, present, TOLERANCE, type Delivered, type Provider, type ProviderRequest, type ProviderResult, type Refusal } from './provider.js'

type StripeObject = Readonly<Record<string, any>>
type Reading = (object: StripeObject) => Omit<ProviderResult, 'room' | 'id'> & { readonly status: string } | undefined

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
const ofIntent = (intent: StripeObject, status: string, type: ProviderResult['type'], payload: object): ReturnType<Reading> => ({ type, payment: intent.id, status, payload: { ...payload } })
const dispute: Reading = ({ id, payment_intent: intent, charge, status, reason }) => {
  const outcome = ({ won: 'won', warning_closed: 'won', lost: 'lost' } as Record<string, string>)[status] ?? 'opened'
  return { type: 'PAYMENT_DISPUTED', payment: String(intent ?? charge), status: `${id}:${outcome}`, payload: { reason, outcome } }
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

  function verify (request: ProviderRequest): StripeObject | Refusal {
    const signature = headerOf(request, 'stripe-signature') ?? ''
    const time = Number(/(?:^|,)t=(\d+)/.exec(signature)?.[1])
    // The library refuses old signatures, but not those of the future.
    if (!(time - request.now / 1000 <= TOLERANCE)) return { status: 401, reason: 'the signature is missing or from the future' }
    for (const secret of secrets) {
      try {
        return Stripe.webhooks.constructEvent(request.body, signature, secret, TOLERANCE, undefined, request.now) as unknown as StripeObject
      } catch (error) {
        if (error instanceof SyntaxError) return { status: 400, reason: 'the body is not JSON' }
      }
    }
    return { status: 401, reason: 'the signature is not valid' }
  }

  return {
    read: (request): Delivered | Refusal => {
      const event = verify(request)
      if ('reason' in event) return event as Refusal
      const object = event.data?.object as StripeObject | undefined
      const result = object && EVENTS[event.type as string]?.(object)
      if (!result) return { results: [] }
      const { status, payload, ...rest } = result
      return { results: [{ ...rest, payload: present(payload), room: object.metadata?.roomId ?? object.client_reference_id ?? undefined, id: `${rest.payment}:${status}` }] }
    }
  }
}
