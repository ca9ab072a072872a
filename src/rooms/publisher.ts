// The way into a room's log: what is said becomes a draft, is appended by the broker, counted, and written down where it is worth a line.
import type { MaybePromise } from '../maybe-promise.js'
import type { Broker, Published } from '../broker/broker.js'
import { Failure } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { draftEvent, type DraftOptions } from '../broker/event-draft.js'
import { EVENTS, type EventPayload, type PaymentEventType, type Source } from '../protocol/events.js'
import { writesDebug, type Log } from './log.js'

/** An event that a device or a backend publishes, validated. */
export interface PaymentEvent {
  readonly type: PaymentEventType
  readonly payload: EventPayload
  readonly id?: string | undefined
  /** How its text begins, where that is known; see ClientFrame. */
  readonly jsonPrefix?: string | undefined
}

/** A backend's own message. */
export interface Broadcast {
  readonly eventType: string
  readonly message: string
  readonly idSeguro: string
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

  constructor (options: PublisherOptions) {
    this.#options = options
    this.#debug = writesDebug(options.log)
  }

  /**
   * @param roomId of the event
   * @param create open the room where it does not exist
   * @param who said it, for the log
   */
  publishEvent (roomId: string, event: PaymentEvent, said: DraftOptions, create: boolean, who: object): MaybePromise<Published | Failure> {
    const published = this.#options.broker.publish(roomId, draftEvent(event, said), create)
    // Not by way of a function, which is garbage on the hottest way there is.
    if (published instanceof Promise) return published.then((later) => this.#note(event, said, who, later))
    return this.#note(event, said, who, published)
  }

  /** @param idempotencyKey makes a repeated request one message */
  async broadcast (roomId: string, { eventType, message, idSeguro }: Broadcast, idempotencyKey?: string): Promise<Published | Failure> {
    const { log, now } = this.#options
    const timestamp = now()
    const payload = { roomId, message, idSeguro, timestamp, source: 'api' }
    const draft = draftEvent({ type: eventType, payload }, { source: 'api', timestamp, idempotencyKey, hasServerTimestamp: true })
    const published = await this.#options.broker.publish(roomId, draft, false)
    if (published instanceof Failure) return published
    // Its type is a backend's to choose, and so no label.
    this.#count(published, 'BROADCAST', 'api')
    if (published.isNew) log.info({ roomId, type: eventType, seq: published.seq, sentToClients: published.receivers }, 'message broadcast')
    return published
  }

  #note ({ type, payload: { roomId } }: PaymentEvent, { source }: DraftOptions, who: object, published: Published | Failure): Published | Failure {
    if (published instanceof Failure) return published
    const { seq, duplicate, receivers, changed } = published
    this.#count(published, type, source)
    // A payment that gets somewhere is worth a line; every single event is not, and its fields are not built when nobody reads them.
    if (changed) this.#options.log.info({ roomId, ...who, seq }, EVENTS[type].sentence)
    if (this.#debug) this.#options.log.debug({ roomId, ...who, type, seq, duplicate, receivers }, 'event relayed')
    return published
  }

  #count ({ isNew }: Published, type: string, source: Source): void {
    if (isNew) this.#options.metrics.published(type, source)
    else this.#options.metrics.duplicates.inc()
  }
}
