// Deliveries that wait, in the order of their room, and those that are over, for operators. Types, and the bounds of both queues.
import type { RoomChange } from '../broker/broker.js'
import type { Failure } from '../errors.js'
import type { MaybePromise } from '../maybe-promise.js'
import type { DeliveryError, DeliveryStatus, WebhookDelivery } from '../protocol/rest-deliveries.js'

/** Rooms of one node whose deliveries are sent at once. */
export const MAX_AT_ONCE = 100
/** Deliveries that are over and are kept for the list. */
export const MAX_DELIVERED = 1_000
/** Deliveries that failed or were disabled and are kept, so that they can be sent again. */
export const MAX_GIVEN_UP = 10_000
/** Receivers that are switched off and remembered; the one that was switched off first is tried again. */
export const MAX_DISABLED = 10_000

/** Outcome of the last try. */
export interface Try { readonly status?: number | undefined, readonly error?: DeliveryError | undefined }

/** A change of a room on its way to a backend. */
export interface Delivery {
  /** The `webhook-id`: the same for each try. */
  readonly id: string
  readonly change: RoomChange
  /** URL of the room; undefined if its webhooks go to that of the settings. */
  readonly url: string | undefined
  /** Tries so far. */
  readonly attempts: number
  /** True for a delivery that an operator sends again: it has one try, also at a receiver that is switched off. */
  readonly manual: boolean
  readonly last: Try
}

/** The first delivery of a room, and the time until its next try, ms; 0 or less if that is due. */
export interface FirstDelivery { readonly delivery: Delivery, readonly wait: number }

/** Sends the deliveries of a room that are due. @returns ms until the next one is due; undefined if the room has none */
export type WorkOnRoom = (roomId: string) => Promise<number | undefined>

/** State of a delivery that is not delivered, and the time of its next try, ms since the epoch; 0 if it is due at once. */
export interface DeliveryState { readonly status: Exclude<DeliveryStatus, 'delivered'>, readonly due: number }

/** Keeps what must outlive the process, of a queue in memory: its answers need not wait for it. */
export interface DeliveryStore {
  readonly save: (delivery: Delivery, state: DeliveryState) => void
  readonly remove: (delivery: Delivery) => void
  readonly setDisabled: (url: string, disabled: boolean) => void
  /** Writes all of this at once: from then on the end of the process loses none of it. */
  readonly flush: () => void
}

/** Deliveries of an earlier process, in the order in which they came, and the receivers that are switched off. */
export interface StoredDeliveries {
  readonly deliveries: ReadonlyArray<readonly [delivery: Delivery, state: DeliveryState]>
  readonly disabled: readonly string[]
}

/**
 * Keeps deliveries, and calls `work` for each room that has one that is due: for one room never twice at once, and again until it returns undefined. Its methods
 * reject while the storage is away; the work on the room is then repeated.
 */
export interface DeliveryQueue {
  start: (work: WorkOnRoom) => void
  first: (roomId: string) => MaybePromise<FirstDelivery | undefined>
  /** Keeps the outcome of a try, after which another one follows. @param delay ms until then */
  postpone: (delivery: Delivery, delay: number) => MaybePromise<void>
  /** Ends a delivery: the next one of its room is the first. */
  settle: (delivery: Delivery, status: Exclude<DeliveryStatus, 'pending'>) => MaybePromise<void>
  /** Removes a delivery that nobody wants. */
  discard: (delivery: Delivery) => MaybePromise<void>
  isDisabled: (url: string) => MaybePromise<boolean>
  setDisabled: (url: string, disabled: boolean) => MaybePromise<void>
  /** The latest first. */
  list: (limit: number) => Promise<WebhookDelivery[] | Failure>
  /** Sends a delivery again: one that waits with its room, one that was given up as the first of its room. */
  retry: (id: string) => Promise<WebhookDelivery | Failure>
  /** Time of the oldest change that waits, ms since the epoch; undefined if none does. */
  oldest: () => Promise<number | undefined>
  /** Looks for rooms that have become due. Called about once a second. */
  tick: () => MaybePromise<void>
  /** Ends the calls of `work`. @param timeout time for those under way, ms */
  close: (timeout: number) => Promise<void>
}
