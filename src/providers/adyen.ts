// Adyen: https://docs.adyen.com/development-resources/webhooks/webhook-types. The room is in `merchantReference`.
// The signature (https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures) covers the references, the amount, the code of the event and
// its success. It has no time, so a delivery can be repeated: the ids of the events make that harmless.
import { decimalOf, NOT_JSON, objectOf, objectsIn, parseBody, resultOf, rowOf, type Fact, type Provider, type ProviderObject } from './provider.js'

/** Decimals where they are not two: https://docs.adyen.com/development-resources/currency-codes. They differ from ISO 4217 for CLP, CVE, IDR and ISK. */
const WITHOUT_DECIMALS = new Set('CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' '))
const WITH_THREE = new Set('BHD IQD JOD KWD LYD OMR TND'.split(' '))

/** Shortest key that is accepted, bytes; those of Adyen have 32. */
const MIN_KEY = 16

type Reading = (item: ProviderObject, payment: string) => Fact

function money ({ amount }: ProviderObject) {
  const { value, currency } = objectOf(amount)
  return { amount: decimalOf(value, WITHOUT_DECIMALS.has(currency) ? 0 : WITH_THREE.has(currency) ? 3 : 2), currency }
}

const failed: Reading = ({ reason }, payment) => ({ type: 'PAYMENT_ERROR', payment, status: 'failed', payload: { error: reason || 'The payment was refused.' } })
const cancelled = (reason: string): Reading => (_item, payment) => ({ type: 'PAYMENT_CANCELLED', payment, status: 'cancelled', payload: { reason } })
// Each refund has an amount and a reference of its own.
const refunded: Reading = (item, payment) =>
  ({ type: 'PAYMENT_REFUNDED', payment, status: `refunded:${item.pspReference}`, payload: { refundId: item.pspReference, transactionId: payment, ...money(item) } })
const disputed = (outcome: string): Reading => (item, payment) =>
  ({ type: 'PAYMENT_DISPUTED', payment, status: `${item.pspReference}:${outcome}`, payload: { reason: item.reason, outcome, ...money(item) } })

/** Readings by the code of the event and its success. Codes that are not here, and a failed cancellation or refund, change nothing about the payment. */
const EVENTS: Readonly<Record<string, Reading>> = {
  // The `reason` of a success has digits of the card.
  'AUTHORISATION true': (item, payment) => ({ type: 'PAYMENT_SUCCESS', payment, status: 'succeeded', payload: { transactionId: payment, ...money(item) } }),
  'AUTHORISATION false': failed,
  'CAPTURE_FAILED true': failed,
  'PENDING true': ({ paymentMethod: method }, payment) => ({ type: 'PAYMENT_PENDING', payment, status: 'pending', payload: { reason: 'awaiting_payment', method } }),
  'CANCELLATION true': cancelled('cancelled'),
  'TECHNICAL_CANCEL true': cancelled('cancelled'),
  'OFFER_CLOSED true': cancelled('expired'),
  'CANCEL_OR_REFUND true': (item, payment) => (objectOf(item.additionalData)['modification.action'] === 'refund' ? refunded : cancelled('cancelled'))(item, payment),
  'REFUND true': refunded,
  'REFUND_WITH_DATA true': refunded,
  'NOTIFICATION_OF_CHARGEBACK true': disputed('opened'),
  'CHARGEBACK true': disputed('opened'),
  'CHARGEBACK_REVERSED true': disputed('won'),
  'PREARBITRATION_WON true': disputed('won'),
  'PREARBITRATION_LOST true': disputed('lost'),
  'SECOND_CHARGEBACK true': disputed('lost')
}

/**
 * @param keys HMAC keys of the webhook, hexadecimal; during a rotation both
 * @throws {Error} for a key that is not hexadecimal: the library would sign with what is left of it
 */
export async function adyen (keys: readonly string[]): Promise<Provider> {
  if (!keys.every((key) => /^(?:[0-9a-f]{2})+$/i.test(key) && key.length >= 2 * MIN_KEY)) throw new Error(`each key must be hexadecimal, of at least ${MIN_KEY} bytes`)
  // The file alone: the package is the client of all APIs of Adyen.
  const { default: { default: HmacValidator } } = await import('@adyen/api-library/lib/src/utils/hmacValidator.js')
  const validator = new HmacValidator()

  function isSigned (item: ProviderObject): boolean {
    return keys.some((key) => {
      try {
        return validator.validateHMAC(item as Parameters<typeof validator.validateHMAC>[0], key)
      } catch {
        return false
      }
    })
  }

  return {
    answer: '[accepted]',
    read: ({ body }) => {
      const batch = parseBody(body)
      if (!batch) return NOT_JSON
      const items = objectsIn(batch.notificationItems).map(({ NotificationRequestItem: item }) => objectOf(item))
      if (items.length === 0 || !items.every(isSigned)) return { status: 401, reason: 'an item is not signed, or there is none' }
      return {
        results: items.flatMap((item) => {
          const read = rowOf(EVENTS, `${item.eventCode} ${item.success}`)
          // An event about a payment names it as the original; an authorisation is the payment.
          return read ? [resultOf(read(item, String(item.originalReference || item.pspReference)), item.merchantReference)] : []
        })
      }
    }
  }
}
