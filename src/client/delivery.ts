// Delivers the client's own events to the room's log: in order and one at a time over the link, and also by HTTP when the page is hidden or the room left.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'
import type { Link } from './link.js'
import { PendingEvents } from './pending-events.js'
import type { DeviceRecord, Outgoing } from './record.js'
import { delayAfter } from './reconnect.js'
import { isOfAccess } from './refusals.js'
import { post } from './rest.js'

/** Time limit for the acknowledgement of an event, after which the link counts as dead, ms. */
const ACK_TIMEOUT = 10_000

export interface DeliveryOptions {
  /** URL that events are posted to. */
  readonly url: string
  readonly headers: () => Record<string, string>
  /** Returns the link while the room is joined over it. */
  readonly link: () => Link | undefined
  /** Called when the link does not acknowledge an event in time. */
  readonly onDeadLink: (reason: string) => void
  /** Called when a request, over a stream's link, is refused because of its token or the room. */
  readonly refusedAccess: (error: RoomError) => void
  /** Called when an own event is in the log. */
  readonly logged: (event: Outgoing, receipt: Receipt) => void
  /** Called when an event is refused and no caller has its promise, because the event was published before a reload. */
  readonly refused: (error: RoomError) => void
}

export class Delivery {
  readonly #environment: Environment
  readonly #options: DeliveryOptions
  readonly #outbox: PendingEvents
  /** Ids of the events that are being posted over HTTP. */
  readonly #posting = new Set<string>()
  /** Id of the event that awaits its acknowledgement. One at a time: if it is refused, the next event must not overtake it. */
  #inFlight: string | undefined
  /** Ids of the events that were sent over the link and are not settled, by the number of their message. */
  readonly #sent = new Map<number, string>()
  #refusals = 0
  #timer: unknown

  constructor (environment: Environment, record: DeviceRecord, options: DeliveryOptions) {
    this.#environment = environment
    this.#options = options
    this.#outbox = new PendingEvents(record)
  }

  add (event: Outgoing): Promise<Receipt> {
    const promise = this.#outbox.add(event)
    this.flush()
    return promise
  }

  /** @returns whether an own event with this id awaits its acknowledgement */
  has (id: string | undefined): id is string { return this.#outbox.events.some((event) => event.id === id) }

  /** Sends the next event, unless one is in flight. */
  flush (): void {
    const link = this.#options.link()
    const [next] = this.#outbox.events
    if (!link || !next || this.#inFlight !== undefined) return
    this.#inFlight = next.id
    this.#timer = this.#environment.setTimeout(() => this.#options.onDeadLink('no acknowledgement'), ACK_TIMEOUT)
    if (link.send) this.#sent.set(link.send(next.text), next.id)
    else void this.#post(next).then((result) => { if (result instanceof RoomError) this.#refusedRequest(next.id, result) })
  }

  /**
   * Sends all pending events at once, over the link and as HTTP requests that outlive the page: a hidden page may be discarded at any moment.
   * The server drops the duplicates by their ids.
   */
  sendAll (): void {
    const link = this.#options.link()
    for (const event of [...this.#outbox.events]) {
      if (link?.send && event.id !== this.#inFlight) this.#sent.set(link.send(event.text), event.id)
      // A refusal of the request is ignored: without a token, the server may accept a page's events over the socket only.
      if (!this.#posting.has(event.id)) void this.#post(event)
    }
  }

  acknowledge ({ id, epoch, seq, duplicate }: Receipt & { readonly id: string }): void {
    const receipt = { epoch, seq, duplicate }
    const settled = this.#outbox.settle(id, receipt)
    if (!settled) return
    this.#refusals = 0
    this.#answered(id)
    this.#options.logged(settled.event, receipt)
    this.flush()
  }

  /** Handles a refusal: a retryable event is sent again later, any other is given up. */
  refuse (id: string, error: RoomError): void {
    const { setTimeout, random } = this.#environment
    if (error.retryable) {
      if (id !== this.#inFlight) return
      this.#answered(id)
      // The event stays in flight until then, so that no later event overtakes it.
      this.#inFlight = id
      this.#timer = setTimeout(() => {
        this.#inFlight = undefined
        this.flush()
      }, delayAfter(this.#refusals++, random()))
      return
    }
    const settled = this.#outbox.settle(id, error)
    this.#answered(id)
    if (settled && !settled.hadPromise) this.#options.refused(error)
    this.flush()
  }

  /** @returns the id of the event in a message of the link */
  idOf (number: number): string | undefined { return this.#sent.get(number) }

  /** Called when the link is lost: the event in flight is sent again over the next link. */
  lost (): void {
    this.#sent.clear()
    if (this.#inFlight !== undefined) this.#answered(this.#inFlight)
  }

  /** Stops sending. Pending events stay stored, except the event in flight if the socket was closed because of it (`isFault`). */
  end (error: RoomError, isFault: boolean): void {
    if (isFault && this.#inFlight !== undefined) this.#outbox.settle(this.#inFlight, error)
    this.lost()
    this.#outbox.abandon(error)
  }

  #refusedRequest (id: string, error: RoomError): void {
    const link = this.#options.link()
    if (!isOfAccess(error)) this.refuse(id, error)
    else if (link && !link.send) this.#options.refusedAccess(error)
    // A socket has taken the place of the stream meanwhile, and its join was accepted.
    else this.refuse(id, new RoomError(error.code, error.message, true))
  }

  #answered (id: string): void {
    for (const [number, sent] of this.#sent) if (sent === id) this.#sent.delete(number)
    if (id !== this.#inFlight) return
    this.#inFlight = undefined
    this.#environment.clearTimeout(this.#timer)
  }

  async #post ({ id, text }: Outgoing): Promise<Receipt | RoomError> {
    this.#posting.add(id)
    const result = await post(this.#environment, this.#options.url, this.#options.headers(), text)
    this.#posting.delete(id)
    if (!(result instanceof RoomError)) this.acknowledge({ id, ...result })
    return result
  }
}
