// A change of a room as backends get it: its type, its body and its id.
import { createHash } from 'node:crypto'
import type { RoomChange } from '../broker/broker.js'
import type { Notification, NotificationType } from '../protocol/notifications.js'
import { PROGRESS, type PaymentStatus } from '../protocol/payment-state.js'

/** Type of a result by the status after it. */
const BY_STATUS: Readonly<Record<PaymentStatus, NotificationType>> = {
  pending: 'payment.progressed',
  processing: 'payment.processing',
  succeeded: 'payment.succeeded',
  failed: 'payment.failed',
  cancelled: 'payment.cancelled',
  expired: 'payment.expired',
  partially_refunded: 'payment.refunded',
  refunded: 'payment.refunded',
  disputed: 'payment.disputed'
}

/** Events whose type does not depend on the status: steps, new terms of the link, and each stage of a dispute. */
const BY_EVENT: Readonly<Record<string, NotificationType>> = {
  ...Object.fromEntries([...PROGRESS, 'LINK_UPDATED'].map((type) => [type, 'payment.progressed'])),
  PAYMENT_DISPUTED: 'payment.disputed'
}

const BY_CAUSE = { created: 'room.created', stalled: 'payment.stalled', closed: 'room.closed' } as const

export function typeOf ({ cause, type = '', state: { status } }: Pick<RoomChange, 'cause' | 'type' | 'state'>): NotificationType {
  return cause === 'event' ? BY_EVENT[type] ?? BY_STATUS[status] : BY_CAUSE[cause]
}

export function notificationOf (change: RoomChange): Notification {
  const { roomId, epoch, seq, timestamp, state, link } = change
  return {
    type: typeOf(change),
    timestamp: new Date(timestamp).toISOString(),
    data: { roomId, ...(link?.reference !== undefined && { reference: link.reference }), epoch, seq, state }
  }
}

/** Id of a change, the same whenever and by whichever node it is sent. A digest: an id of a webhook must not contain the characters of a room id (Standard Webhooks). */
export function idOf ({ roomId, epoch, seq, cause }: Pick<RoomChange, 'roomId' | 'epoch' | 'seq' | 'cause'>): string {
  return `msg_${createHash('sha256').update(JSON.stringify([roomId, epoch, seq, cause])).digest('base64url').slice(0, 32)}`
}
