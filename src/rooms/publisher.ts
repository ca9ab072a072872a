// Publishes events to a room's log: drafts an event, appends it through the broker, counts it, and logs the notable ones.
import type { MaybePromise } from '../maybe-promise.js'
import type { Broker, Published } from '../broker/broker.js'
import { Failure } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { draftEvent, EventStamps, type DraftOptions } from '../broker/event-draft.js'
import { EVENTS, type EventPayload, type PaymentEventType, type Source } from '../protocol/events.js'
import { writesDebug, type Log } from './log.js'

/** Validated event of a device or a backend. */
export interface PaymentEvent {
  readonly type: PaymentEventType
  readonly payload: EventPayload
  readonly id?: string | undefined
  /** Start of the event's JSON text, if known; see ClientFrame. */
  readonly jsonPrefix?: string | undefined
  /** True if card numbers are masked in the payload. */
  readonly redacted?: boolean | undefined
}

/** Custom message of a backend. */
export interface Broadcast {
  readonly eventType: string
  readonly message: string
  readonly idSeguro: string
  /** True if card numbers are masked in it. */
  readonly redacted?: boolean
}

export interface PublisherOptions {
  readonly broker: Broker
  readonly metrics: Metrics
  readonly log: Log
  /** ms since the epoch. */
  readonly now: () => number
}

export class Publisher {
  readonly #options: PublisherOptions
  readonly #debug: boolean
  readonly #stamps = new EventStamps()

  constructor (options: PublisherOptions) {
    this.#options = options
    this.#debug = writesDebug(options.log)
  }

  /**
   * @param roomId room of the event
   * @param create opens the room if it does not exist
   * @param who log fields of the sender
   */
  publishEvent (roomId: string, event: PaymentEvent, said: DraftOptions, create: boolean, who: object): MaybePromise<Published | Failure> {
    const published = this.#options.broker.publish(roomId, draftEvent(event, said, this.#stamps), create)
    // No helper that takes a closure: a closure per event would be garbage on the hottest path.
    if (published instanceof Promise) return published.then((later) => this.#note(event, said, who, later))
    return this.#note(event, said, who, published)
  }

  /** Publishes events in their order and in one step. @returns the outcome of each */
  async publishAll (roomId: string, events: readonly PaymentEvent[], said: DraftOptions, create: boolean, who: object): Promise<Array<Published | Failure>> {
    const published = await this.#options.broker.publishAll(roomId, events.map((event) => draftEvent(event, said, this.#stamps)), create)
    return events.map((event, i) => this.#note(event, said, who, published instanceof Failure ? published : published[i]!))
  }

  /** @param idempotencyKey makes repeated requests one message */
  async broadcast (roomId: string, { eventType, message, idSeguro, redacted }: Broadcast, idempotencyKey?: string): Promise<Published | Failure> {
    const { log, now } = this.#options
    const timestamp = now()
    const payload = { roomId, message, idSeguro, timestamp, source: 'api' }
    const draft = draftEvent({ type: eventType, payload, redacted }, { source: 'api', timestamp, idempotencyKey, hasServerTimestamp: true })
    const published = await this.#options.broker.publish(roomId, draft, false)
    if (published instanceof Failure) return published
    // A backend chooses the event type, so it must not become a metric label.
    this.#count(published, 'BROADCAST', 'api')
    if (published.isNew) log.info({ roomId, type: eventType, seq: published.seq, sentToClients: published.receivers }, 'message broadcast')
    return published
  }

  #note ({ type, payload: { roomId } }: PaymentEvent, { source }: DraftOptions, who: object, published: Published | Failure): Published | Failure {
    if (published instanceof Failure) return published
    const { seq, duplicate, receivers, changed } = published
    this.#count(published, type, source)
    // Log an event only if it changed the payment's state. The debug fields of other events are not built while debug lines are off.
    if (changed) this.#options.log.info({ roomId, ...who, seq }, EVENTS[type].sentence)
    if (this.#debug) this.#options.log.debug({ roomId, ...who, type, seq, duplicate, receivers }, 'event relayed')
    return published
  }

  #count ({ isNew }: Published, type: string, source: Source): void {
    if (isNew) this.#options.metrics.published(type, source)
    else this.#options.metrics.duplicates.inc()
  }
}
