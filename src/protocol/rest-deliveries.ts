// Schemas of the REST API for the webhooks that this server sends.
import { Type, type Static } from '@sinclair/typebox'
import { Timestamp } from './fields.js'
import { RoomId } from './identifiers.js'
import { WEBHOOK_TYPES } from './notifications.js'
import { successEnvelope } from './rest.js'
import { Nullable, Ref, StringEnum, WithDefault } from './schema.js'

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed', 'disabled'] as const
export type DeliveryStatus = typeof DELIVERY_STATUSES[number]

/** Reasons for a try without success. */
export const DELIVERY_ERRORS = ['status', 'redirect', 'timeout', 'dns', 'private_address', 'tls', 'connection', 'no_url'] as const
export type DeliveryError = typeof DELIVERY_ERRORS[number]

export const DeliveryId = Type.String({ pattern: '^msg_[\\w-]{32}$', description: 'ID of a delivery: the `webhook-id` that the receiver gets.', examples: ['msg_Xo3PPN1y1mhbq0NEYq7eG0TLM5qUKFKg'] })

export const WebhookDelivery = Type.Object({
  id: DeliveryId,
  roomId: RoomId,
  type: StringEnum(WEBHOOK_TYPES, { examples: ['payment.succeeded'] }),
  status: StringEnum(DELIVERY_STATUSES, {
    description: '`pending`: waits for its first or next try, or for an earlier delivery of its room. `failed`: given up after the last try. `disabled`: not sent, since the receiver has answered 410.',
    examples: ['pending']
  }),
  attempts: Type.Integer({ minimum: 0, description: 'Number of tries.', examples: [2] }),
  lastStatus: Type.Optional(Type.Integer({ description: 'HTTP status of the last answer.', examples: [503] })),
  lastError: Type.Optional(StringEnum(DELIVERY_ERRORS, { description: 'Reason for which the last try failed.', examples: ['status'] })),
  nextTryAt: Nullable(Timestamp, { description: 'Time of the next try of a pending delivery that is the first of its room; otherwise null.' }),
  timestamp: Timestamp
}, { $id: 'WebhookDelivery', description: 'A webhook that is sent to a backend, without its body. `timestamp` is the time of the change.' })
export type WebhookDelivery = Static<typeof WebhookDelivery>

export const WebhookDeliveries = Type.Object({ deliveries: Type.Array(Ref(WebhookDelivery)) }, { $id: 'WebhookDeliveries' })
export const WebhookDeliveriesResponse = successEnvelope(WebhookDeliveries)
export const WebhookDeliveryResponse = successEnvelope(WebhookDelivery)

export const ListDeliveriesQuery = Type.Object({
  limit: WithDefault(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Maximum number of deliveries.', examples: [100] }))
})
export const DeliveryParams = Type.Object({ id: DeliveryId })

/** Named OpenAPI components of this file. */
export const DELIVERY_COMPONENTS = [WebhookDelivery, WebhookDeliveries, WebhookDeliveriesResponse, WebhookDeliveryResponse]
