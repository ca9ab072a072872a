// Schemas of the REST API for webhooks.
import { Type, type Static } from '@sinclair/typebox'
import { ERROR_CODES } from '../errors.js'
import { Timestamp } from './fields.js'
import { RoomId } from './identifiers.js'
import { successEnvelope } from './rest.js'
import { Ref, StringEnum, WithDefault } from './schema.js'

export const RefusedDelivery = Type.Object({
  provider: Type.String({ examples: ['stripe'] }),
  type: Type.String({ description: 'Type of the event.', examples: ['PAYMENT_SUCCESS'] }),
  roomId: Type.Optional(RoomId),
  code: StringEnum(ERROR_CODES, { examples: ['INVALID_FRAME'] }),
  reason: Type.String({ description: 'The broken rule.', examples: ['payload.currency: expected a currency code of ISO 4217'] }),
  timestamp: Timestamp
}, { $id: 'RefusedDelivery', description: 'A result of a provider that was not logged.' })
export type RefusedDelivery = Static<typeof RefusedDelivery>

export const RefusedDeliveries = Type.Object({ deliveries: Type.Array(Ref(RefusedDelivery)) }, { $id: 'RefusedDeliveries' })
export const RefusedDeliveriesResponse = successEnvelope(RefusedDeliveries)

export const ListRefusedQuery = Type.Object({
  limit: WithDefault(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Maximum number of deliveries.', examples: [100] }))
})

/** Named OpenAPI components of this file. */
export const WEBHOOK_COMPONENTS = [RefusedDelivery, RefusedDeliveries, RefusedDeliveriesResponse]
