// A delivery: made from a change, and described for operators.
import type { RoomChange } from '../broker/broker.js'
import { idOf, typeOf } from '../changes/notification.js'
import { Failure } from '../errors.js'
import type { WebhookType } from '../protocol/notifications.js'
import type { DeliveryStatus, WebhookDelivery } from '../protocol/rest-deliveries.js'
import type { Delivery } from './delivery-queue.js'

export function deliveryOf (change: RoomChange, url: string | undefined): Delivery {
  return { id: idOf(change), change, url, attempts: 0, manual: false, last: {} }
}

/** @param nextTryAt ms since the epoch */
export function describe ({ id, change, attempts, last }: Delivery, status: DeliveryStatus, nextTryAt: number | null = null): WebhookDelivery {
  const { roomId, timestamp } = change
  return {
    id,
    roomId,
    type: typeOf(change) as WebhookType,
    status,
    attempts,
    ...(last.status !== undefined && { lastStatus: last.status }),
    ...(last.error !== undefined && { lastError: last.error }),
    nextTryAt,
    timestamp
  }
}

/** Failure for an id that no delivery in the list has, and for a delivery that needs no other try. */
export const UNKNOWN_DELIVERY = new Failure('NOT_FOUND', 'The list has no delivery with that id.')
export const ALREADY_DELIVERED = new Failure('INVALID_REQUEST', 'The webhook was delivered.')
