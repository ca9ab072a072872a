// KeptDeliveries: the store of a queue in memory, in the journal of the rooms. A delivery is written with the change that is its cause, in the same record.
import type { RoomChange } from '../broker/broker.js'
import type { Keepsake, KeptValues } from '../broker/journal/kept-values.js'
import type { Delivery, DeliveryState, DeliveryStore, StoredDeliveries } from './delivery-queue.js'
import { deliveryOf } from './delivery.js'

/** Beginnings of the keys: of a delivery, followed by its id, and of a receiver that is switched off, followed by its URL. */
const DELIVERY = 'webhook/'
const DISABLED = 'webhook-off/'

interface Stored extends Omit<Delivery, 'id'>, DeliveryState {}

export interface KeptDeliveriesOptions {
  readonly kept: KeptValues
  /** True for a change that becomes a webhook. */
  readonly isWanted: (change: RoomChange) => boolean
}

export class KeptDeliveries implements DeliveryStore {
  readonly #options: KeptDeliveriesOptions

  constructor (options: KeptDeliveriesOptions) { this.#options = options }

  /** @returns the delivery that is written with a change; undefined if nobody wants one */
  keepWith (change: RoomChange): Keepsake | undefined {
    return this.#options.isWanted(change) ? keepsakeOf(deliveryOf(change, change.webhookUrl), { status: 'pending', due: 0 }) : undefined
  }

  save (delivery: Delivery, state: DeliveryState): void { this.#options.kept.put(keepsakeOf(delivery, state)) }

  remove ({ id }: Delivery): void { this.#options.kept.remove(DELIVERY + id) }

  setDisabled (url: string, disabled: boolean): void {
    const { kept } = this.#options
    // Removed before, so that the receiver that was switched off last is the last one.
    kept.remove(DISABLED + url)
    if (disabled) kept.put({ key: DISABLED + url, value: {} })
  }

  flush (): void { this.#options.kept.flush() }

  restore (): StoredDeliveries {
    const { kept } = this.#options
    return {
      deliveries: kept.under(DELIVERY).map(([id, value]) => {
        const { status, due, ...delivery } = value as Stored
        return [{ id, ...delivery }, { status, due }]
      }),
      disabled: kept.under(DISABLED).map(([url]) => url)
    }
  }
}

function keepsakeOf ({ id, change: { webhookUrl: _url, ...change }, ...delivery }: Delivery, state: DeliveryState): Keepsake {
  const value: Stored = { change, ...delivery, ...state }
  return { key: DELIVERY + id, value }
}
