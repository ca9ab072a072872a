// An entry of the outbox in Redis: a change as the scripts append it (src/broker/redis/lua/room.lua), or a delivery that an operator sends again.
import type { RoomChange } from '../../broker/broker.js'
import { paymentFrom } from '../../broker/redis/state.js'
import { deliveryOf } from '../delivery.js'
import type { Delivery } from '../delivery-queue.js'

interface Entry {
  readonly cause: RoomChange['cause']
  readonly type?: string
  readonly epoch: string
  readonly seq: number | string
  /** Time of the change, ms since the epoch. */
  readonly at: number | string
  /** Creation of the room, ms since the epoch. */
  readonly created: string
  readonly url?: string
  /** Fields of the payment; false for a missing one, as Lua has it. */
  readonly payment: ReadonlyArray<string | false>
  /** Tries so far of a delivery that an operator sends again. */
  readonly manual?: Pick<Delivery, 'attempts' | 'last'>
}

/** A delivery, and the text of its entry. */
export interface StoredDelivery extends Delivery { readonly entry: string }

export function deliveryFrom (roomId: string, text: string): StoredDelivery {
  const { cause, type, epoch, seq, at, created, url, payment, manual } = JSON.parse(text) as Entry
  const { state, link } = paymentFrom(payment.map((field) => field === false ? null : field), Number(created))
  const change = { cause, roomId, epoch, seq: Number(seq), type, timestamp: Number(at), state, link }
  return { ...deliveryOf(change, url), ...manual, manual: manual !== undefined, entry: text }
}

/** @returns the entry with which a delivery is sent again */
export function manualEntry ({ entry, attempts, last }: StoredDelivery): string { return JSON.stringify({ ...JSON.parse(entry) as Entry, manual: { attempts, last } }) }
