// Sends the deliveries of a room one after the other, and decides about each: delivered, another try, given up, or its receiver switched off.
import type { RoomChange } from '../broker/broker.js'
import { notificationOf, typeOf } from '../changes/notification.js'
import type { Metrics } from '../metrics/metrics.js'
import type { Log } from '../rooms/log.js'
import type { Delivery, DeliveryQueue, Try } from './delivery-queue.js'
import type { Answer } from './http-post.js'
import { retryAfterOf, retryDelay } from './retries.js'
import type { Sign } from './signature.js'

export interface DispatcherOptions {
  readonly queue: DeliveryQueue
  /** URL of the rooms that have none of their own. */
  readonly url: string | undefined
  /** Types that are sent. */
  readonly types: ReadonlySet<string>
  readonly sign: Sign
  readonly post: (url: URL, headers: Record<string, string>, body: string) => Promise<Answer>
  readonly userAgent: string
  /** ms since the epoch. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly metrics: Metrics
  readonly log: Log
}

/** Status with which a receiver unsubscribes. */
const GONE = 410

interface Attempt { readonly delivery: Delivery, readonly url: string, readonly retryAfter: number | undefined }

export class Dispatcher {
  readonly #options: DispatcherOptions
  #stopped = false

  constructor (options: DispatcherOptions) { this.#options = options }

  /** Keeps further deliveries in the queue; the outcome of a try that is under way is lost, and it is repeated after the next start. */
  stop (): void { this.#stopped = true }

  /** Sends what is due in a room. @returns ms until the next delivery of the room is due; undefined if it has none */
  async work (roomId: string): Promise<number | undefined> {
    while (!this.#stopped) {
      const first = await this.#options.queue.first(roomId)
      if (!first) return undefined
      if (first.wait > 0) return first.wait
      await this.#deliver(first.delivery)
    }
    return 0
  }

  async #deliver (delivery: Delivery): Promise<void> {
    const { queue, types, url: common } = this.#options
    const { change, manual, url = common } = delivery
    if (!types.has(typeOf(change))) return queue.discard(delivery)
    // The setting was removed while the delivery waited.
    if (url === undefined) return this.#giveUp(delivery, { error: 'no_url' })
    if (!manual && await queue.isDisabled(url)) return queue.settle(delivery, 'disabled')
    const answer = await this.#send(url, delivery)
    // At the end of the process its requests are cut off.
    if (this.#stopped && 'error' in answer) return
    const last = tryOf(answer)
    const tried = { ...delivery, attempts: delivery.attempts + 1, last }
    if (last.error === undefined) return this.#delivered({ delivery: tried, url, retryAfter: undefined })
    await this.#failed({ delivery: tried, url, retryAfter: 'retryAfter' in answer ? retryAfterOf(answer.retryAfter, this.#options.now()) : undefined })
  }

  #send (url: string, { id, change }: Delivery): Promise<Answer> {
    const { sign, post, userAgent, now } = this.#options
    const body = JSON.stringify(notificationOf(change))
    const timestamp = now()
    return post(new URL(url), {
      'content-type': 'application/json',
      'user-agent': userAgent,
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(timestamp / 1000)),
      'webhook-signature': sign(id, timestamp, body)
    }, body)
  }

  async #delivered ({ delivery, url }: Attempt): Promise<void> {
    const { queue, metrics, log } = this.#options
    metrics.webhookAttempts.inc({ outcome: 'delivered' })
    log.debug(fieldsOf(delivery, url), 'webhook delivered')
    if (delivery.manual) await queue.setDisabled(url, false)
    await queue.settle(delivery, 'delivered')
  }

  async #failed ({ delivery, url, retryAfter }: Attempt): Promise<void> {
    const { queue, metrics, log, random } = this.#options
    if (delivery.last.status === GONE) {
      metrics.webhookAttempts.inc({ outcome: 'disabled' })
      log.error(fieldsOf(delivery, url), 'receiver of webhooks switched off: it has answered 410')
      await queue.setDisabled(url, true)
      return queue.settle(delivery, 'disabled')
    }
    const delay = delivery.manual ? undefined : retryDelay(delivery.attempts, random(), retryAfter)
    if (delay === undefined) return this.#giveUp(delivery, delivery.last, url)
    metrics.webhookAttempts.inc({ outcome: 'failed' })
    log.warn({ ...fieldsOf(delivery, url), retryIn: delay }, 'webhook not delivered')
    await queue.postpone(delivery, delay)
  }

  async #giveUp (delivery: Delivery, last: Try, url?: string): Promise<void> {
    const { queue, metrics, log } = this.#options
    metrics.webhookAttempts.inc({ outcome: 'given_up' })
    log.error(fieldsOf({ ...delivery, last }, url), 'webhook given up')
    await queue.settle({ ...delivery, last }, 'failed')
  }
}

/** Outcome of a try: only 2xx is a success. */
function tryOf (answer: Answer): Try {
  if ('error' in answer) return answer
  const { status } = answer
  return status >= 200 && status < 300 ? { status } : { status, error: status >= 300 && status < 400 ? 'redirect' : 'status' }
}

/** Fields of a log line. Of the URL it has the host: path and query may hold a secret. */
function fieldsOf ({ id, change, attempts, last }: { id: string, change: RoomChange, attempts: number, last: Try }, url?: string): object {
  return { roomId: change.roomId, type: typeOf(change), deliveryId: id, attempts, ...last, ...(url !== undefined && { host: new URL(url).host }) }
}
