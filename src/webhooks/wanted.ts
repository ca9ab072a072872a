// Choice of the webhooks that are sent.
import type { RoomChange } from '../broker/broker.js'
import { typeOf } from '../changes/notification.js'
import { entriesOf } from '../comma-list.js'
import { PAYMENT_STATUSES } from '../protocol/payment-state.js'

/** Types in the setting WEBHOOK_EVENTS. */
export function wantedTypes (setting: string): ReadonlySet<string> { return new Set(entriesOf(setting)) }

/** Tells if a change becomes a webhook. @param url of the rooms that have none of their own; undefined: they get no webhooks */
export function isWanted (setting: string, url: string | undefined): (change: RoomChange) => boolean {
  const wanted = wantedTypes(setting)
  return (change) => (change.webhookUrl ?? url) !== undefined && wanted.has(typeOf(change))
}

/**
 * Tells before a change is made if a webhook of it may be wanted; its type may depend on the status that it leads to. Payers make many steps, and by default no step
 * needs a webhook.
 */
export function mayBeWanted (setting: string): (cause: RoomChange['cause'], type?: string) => boolean {
  const wanted = wantedTypes(setting)
  return (cause, type) => PAYMENT_STATUSES.some((status) => wanted.has(typeOf({ cause, type, state: { status } as RoomChange['state'] })))
}
