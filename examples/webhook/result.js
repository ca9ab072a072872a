// Converts a webhook of the payment provider to an event of the payment server.
import { createHash } from 'node:crypto'

/** Events by the provider's words. Keys go along one by one: the whole object of a provider may hold card data. */
const EVENTS = {
  'payment.paid': ({ transactionId, amount, currency }) => ({ type: 'PAYMENT_SUCCESS', payload: { transactionId, amount, currency } }),
  'payment.failed': ({ error, code }) => ({ type: 'PAYMENT_ERROR', payload: { error, code } }),
  'payment.in_analysis': ({ method }) => ({ type: 'PAYMENT_PENDING', payload: { reason: 'in_analysis', method } }),
  'payment.cancelled': ({ reason }) => ({ type: 'PAYMENT_CANCELLED', payload: { reason } }),
  'payment.refunded': ({ transactionId, refundId, amount, currency }) => ({ type: 'PAYMENT_REFUNDED', payload: { transactionId, refundId, amount, currency } }),
  'dispute.opened': ({ reason }) => ({ type: 'PAYMENT_DISPUTED', payload: { outcome: 'opened', reason } }),
  'dispute.won': ({ reason }) => ({ type: 'PAYMENT_DISPUTED', payload: { outcome: 'won', reason } }),
  'dispute.lost': ({ reason }) => ({ type: 'PAYMENT_DISPUTED', payload: { outcome: 'lost', reason } })
}

/** Parses a webhook. An integer that a double does not hold becomes text with the same digits, from Node.js 21 on. */
export function parse (body) {
  return JSON.parse(body, (_key, value, context) => Number.isInteger(value) && !Number.isSafeInteger(value) ? context?.source ?? value : value)
}

/** @returns the event as JSON, without keys that are null; undefined for a webhook about anything but a result */
export function eventOf ({ id, type, data }) {
  if (!Object.hasOwn(EVENTS, type)) return undefined
  const event = { ...EVENTS[type](data), id: idOf(data.refundId ?? data.transactionId ?? id, type) }
  return JSON.stringify(event, (_key, value) => value ?? undefined)
}

/** Id of a result: provider, payment and status. Several webhooks about one result thus become one event. An id has at most 64 characters. */
function idOf (payment, status) {
  const id = `psp:${payment}:${status}`
  return id.length <= 64 ? id : createHash('sha256').update(id).digest('base64url')
}
