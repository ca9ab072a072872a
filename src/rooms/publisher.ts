// The way into a room's log: what is said becomes a draft, is appended by the broker, counted, and written down where it is worth a line.
import { then, type Awaitable } from '../awaitable.js'
import type { Broker, Published } from '../broker/broker.js'
import { Failure } from '../errors.js'
import type { Metrics } from '../metrics.js'
import { draftEvent, type DraftOptions, type EventDraft } from '../protocol/codec.js'
import { EVENTS, type EventPayload, type PaymentEventType } from '../protocol/events.js'
import { writesDebug, type Log } from './log.js'

/** An event that a device or a backend publishes, validated. */
export interface PaymentEvent {
  readonly type: PaymentEventType
  readonly payload: EventPayload
  readonly id?: string | undefined
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
   * @param create open the room where it does not exist
   * @param who said it, for the log
   */
  event (event: PaymentEvent, said: DraftOptions, create: boolean, who: object): Awaitable<Published | Failure> {
    const { type, payload: { roomId } } = event
    return then(this.#append(roomId, draftEvent(event, said), create, type), (published) => {
      if (published instanceof Failure) return published
      const { log } = this.#options
      const { seq, duplicate, receivers, changed } = published
      // A payment that gets somewhere is worth a line; every single event is not, and its fields are not built when nobody reads them.
      if (changed) log.info({ roomId, ...who, seq }, EVENTS[type].sentence)
      if (this.#debug) log.debug({ roomId, ...who, type, seq, duplicate, receivers }, 'event relayed')
      return published
    })
  }

  /** @param idempotencyKey makes a repeated request one message */
  async broadcast (roomId: string, { eventType, message, idSeguro }: Broadcast, idempotencyKey?: string): Promise<Published | Failure> {
    const { log, now } = this.#options
    const timestamp = now()
    const payload = { roomId, message, idSeguro, timestamp, source: 'api' }
    const draft = draftEvent({ type: eventType, payload }, { source: 'api', timestamp, idempotencyKey, identity: JSON.stringify([eventType, message, idSeguro]) })
    // Its type is a backend's to choose, and so no label.
    const published = await this.#append(roomId, draft, false, 'BROADCAST')
    if (published instanceof Failure || !published.isNew) return published
    log.info({ roomId, type: eventType, seq: published.seq, sentToClients: published.receivers }, 'message broadcast')
    return published
  }

  #append (roomId: string, draft: EventDraft, create: boolean, type: string): Awaitable<Published | Failure> {
    const { broker, metrics } = this.#options
    return then(broker.publish(roomId, draft, create), (published) => {
      if (published instanceof Failure) return published
      if (published.isNew) metrics.events.inc({ type, source: draft.source })
      else metrics.duplicates.inc()
      return published
    })
  }
}
