// The webhooks that this server sends, for the OpenAPI document.
import { Notification, WEBHOOK_TYPES } from '../protocol/notifications.js'

const example: Notification = {
  type: 'payment.succeeded',
  timestamp: '2026-11-24T08:46:53.040Z',
  data: {
    roomId: 'payment_123',
    reference: 'order 1234',
    epoch: 'yhKhDhBWRLJq',
    seq: 7,
    state: {
      step: 'CLICKED_PAY',
      status: 'succeeded',
      attempt: 1,
      outcome: { verified: true, transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' },
      expected: 99.9,
      currency: 'BRL',
      paid: 99.9,
      balance: 'exact',
      updatedAt: 1795510013040
    }
  }
}

const header = (description: string, value: string) => ({ in: 'header', required: true, description, schema: { type: 'string' }, example: value })

/** The `webhooks` of the document. */
export const OPENAPI_WEBHOOKS = {
  notification: {
    post: {
      operationId: 'notifyBackend',
      tags: ['Webhooks'],
      summary: 'Notify a backend',
      description: `Sent to \`WEBHOOK_URL\`, or to the \`webhookUrl\` of the room, for each change of a room: ${WEBHOOK_TYPES.map((type) => `\`${type}\``).join(', ')}. ` +
        'Signed by the Standard Webhooks specification. It is sent at least once, in the order of its room: a repetition has the same `webhook-id`.',
      security: [],
      parameters: [
        { name: 'webhook-id', ...header('ID of the webhook, the same for each try.', 'msg_Xo3PPN1y1mhbq0NEYq7eG0TLM5qUKFKg') },
        { name: 'webhook-timestamp', ...header('Time of this try, seconds since the Unix epoch.', '1795510013') },
        { name: 'webhook-signature', ...header('Signatures of id, time and body, one for each secret, with spaces between them.', 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=') }
      ],
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: `#/components/schemas/${Notification.$id}` }, examples: { paid: { summary: 'A payment that has succeeded', value: example } } } }
      },
      responses: {
        '2XX': { description: 'The webhook was received. Every other answer, and none within 15 seconds, is a failure, after which it is sent again.' },
        410: { description: 'No webhook is wanted any more.' }
      }
    }
  }
}
