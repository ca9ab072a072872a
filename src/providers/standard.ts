// Anyone who signs by the Standard Webhooks specification (https://www.standardwebhooks.com): our own event types, with the payload in `data`.
import { PUBLISHED_EVENT_TYPES } from '../protocol/events.js'
import { headerOf, NOT_JSON, objectOf, parseBody, type Provider } from './provider.js'

/** @param secrets signing secrets, `whsec_…`; during a rotation both */
export async function standard (secrets: readonly string[]): Promise<Provider> {
  const { Webhook } = await import('standardwebhooks')
  const webhooks = secrets.map((secret) => new Webhook(secret))

  return {
    read: (request) => {
      const headers = Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, headerOf(request, name) ?? '']))
      const isSigned = webhooks.some((webhook) => {
        try {
          // Parsed below: a body that is signed and no JSON is not the fault of its signature.
          webhook.verify(request.body, headers, { jsonParse: false })
          return true
        } catch {
          return false
        }
      })
      if (!isSigned) return { status: 401, reason: 'the signature is missing, not valid, or too old' }
      const body = parseBody(request.body)
      if (!body) return NOT_JSON
      const { type } = body
      if (!(PUBLISHED_EVENT_TYPES as readonly unknown[]).includes(type)) return { results: [] }
      const { roomId, reference, ...payload } = objectOf(body.data)
      const payment = String(payload.transactionId ?? roomId ?? reference)
      return { results: [{ type, payload, room: roomId ?? reference, payment, id: headers['webhook-id']! }] }
    }
  }
}
