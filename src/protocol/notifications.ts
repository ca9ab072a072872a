// Schema of a notification: a change of a room as backends get it, as the body of a webhook and in the stream of the changes of all rooms.
import { Type, type Static } from '@sinclair/typebox'
import { Epoch } from './fields.js'
import { RoomId } from './identifiers.js'
import { PaymentState } from './payment-state.js'
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

export const Notification = Type.Object({
  type: StringEnum(NOTIFICATION_TYPES, { examples: ['payment.succeeded'] }),
  timestamp: Type.String({ format: 'date-time', description: 'Time of the change.', examples: ['2026-11-24T08:46:53.040Z'] }),
  data: Type.Object({
    roomId: RoomId,
    reference: Type.Optional(Type.String({ description: 'Name of the payment in the shop.', examples: ['order 1234'] })),
    epoch: Epoch,
    seq: Type.Integer({ minimum: 0, description: 'Sequence number of the last event in the log.', examples: [7] }),
    state: Ref(PaymentState)
  })
}, { $id: 'Notification', description: 'A change of a room, with the state of the payment after it.' })
export type Notification = Static<typeof Notification>
