// Schema of a notification: a change of a room as backends get it, as the body of a webhook and in the stream of the changes of all rooms.
import { Type, type Static } from '@sinclair/typebox'
import { Epoch } from './fields.js'
import { RoomId } from './identifiers.js'
import { PaymentState } from './payment-state.js'
import { successEnvelope } from './rest.js'
import { Ref, StringEnum } from './schema.js'

/** Types of the notifications that are sent as webhooks. */
export const WEBHOOK_TYPES = [
  'payment.progressed', 'payment.succeeded', 'payment.failed', 'payment.processing', 'payment.cancelled', 'payment.expired', 'payment.refunded', 'payment.disputed',
  'payment.stalled', 'room.closed'
] as const
export type WebhookType = typeof WEBHOOK_TYPES[number]

/** Types in the stream of the changes of all rooms. */
export const NOTIFICATION_TYPES = ['room.created', ...WEBHOOK_TYPES] as const
export type NotificationType = typeof NOTIFICATION_TYPES[number]

const NOTIFICATION = {
  type: StringEnum(NOTIFICATION_TYPES, { examples: ['payment.succeeded'] }),
  timestamp: Type.String({ description: 'Time of the change, ISO 8601.', examples: ['2026-11-24T08:46:53.040Z'] }),
  data: Type.Object({
    roomId: RoomId,
    reference: Type.Optional(Type.String({ description: 'Name of the payment in the shop.', examples: ['order 1234'] })),
    epoch: Epoch,
    seq: Type.Integer({ minimum: 0, description: 'Sequence number of the last event in the log.', examples: [7] }),
    state: Ref(PaymentState)
  })
}

export const Notification = Type.Object(NOTIFICATION, { $id: 'Notification', description: 'A change of a room, with the state of the payment after it.' })
export type Notification = Static<typeof Notification>

export const ListedChange = Type.Object({ position: Type.String({ examples: ['1795504813040-7'] }), ...NOTIFICATION }, { $id: 'ListedChange' })

export const ChangeList = Type.Object({
  changes: Type.Array(Ref(ListedChange)),
  position: Type.String({ description: 'Position of the last change; request the next ones with it as `after`.', examples: ['1795504813040-7'] }),
  complete: Type.Boolean({ description: 'False: changes may be missing, since the requested position is no longer kept, a node died, or Redis was away. Read the rooms anew.' }),
  more: Type.Boolean({ description: 'True if there may be further changes already.' })
}, { $id: 'ChangeList' })
export type ChangeList = Static<typeof ChangeList>
export const ChangeListResponse = successEnvelope(ChangeList)

export const ChangesQuery = Type.Object({
  after: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Returns the changes after this position; if omitted, only the current position.', examples: ['1795504813040-7'] }))
})
export const ChangesHeaders = Type.Object({
  'last-event-id': Type.Optional(Type.String({ maxLength: 64, description: 'For a stream: position of the last received message. Overrides `after`.', examples: ['1795504813040-7'] }))
})

/** Named OpenAPI components of this file. */
export const NOTIFICATION_COMPONENTS = [ListedChange, ChangeList, ChangeListResponse]
