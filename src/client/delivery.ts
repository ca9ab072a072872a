// Delivers the client's own events to the room's log: in order and one at a time over the link, and also by HTTP when the page is hidden or the room left.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'
import type { Link } from './link.js'
import { bytesOf, PendingEvents } from './pending-events.js'
import type { DeviceRecord, Outgoing } from './record.js'
import { delayAfter } from './reconnect.js'
import { isOfAccess } from './refusals.js'
import { post } from './rest.js'

/** Largest size of the requests on their way, bytes: a browser sends no more than 64 KiB for pages that are gone (Fetch standard §4.6). */
const MAX_KEEPALIVE = 65_000
/** Time limit for the acknowledgement of an event, after which the link counts as dead, and for the response to a request, after which its events are sent again, ms. */
const ACK_TIMEOUT = 10_000

export interface DeliveryOptions {
  /** URL that events are posted to. */
  readonly url: string
  readonly headers: () => Record<string, string>
  /** Returns the link while the room is joined over it. */
  readonly link: () => Link | undefined
  /** Called when the link does not acknowledge an event in time. */
  readonly onDeadLink: () => void
  /** Called when a request, over a stream's link, is refused because of its token or the room. */
  readonly refusedAccess: (error: RoomError) => void
  /** Called when an own event is in the log. */
  readonly logged: (event: Outgoing, receipt: Receipt) => void
  /** Called when an event is refused and no caller has its promise, because the event was published before a reload. */
  readonly refused: (error: RoomError) => void
}

type Acknowledgement = Receipt & { readonly id: string | undefined }

export class Delivery {
  readonly #environment: Environment
  readonly #options: DeliveryOptions
  readonly #outbox: PendingEvents
  /** Sizes of the requests on their way, bytes, by the id of the last event of each. */
  readonly #posting = new Map<string, number>()
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

  /** Sends the next event, unless one is in flight. */
  flush (): void {
    const link = this.#options.link()
    const [next] = this.#outbox.events
    if (!link || !next || this.#inFlight !== undefined) return
    this.#inFlight = next.id
    this.#timer = this.#environment.setTimeout(this.#options.onDeadLink, ACK_TIMEOUT)
    if (link.send) this.#sent.set(link.send(next.text), next.id)
    else void this.#post([next]).then((error) => { if (error) this.#refusedRequest(next.id, error) })
  }

  /**
   * Sends all pending events at once, over the link and in one HTTP request that outlives the page: a hidden page may be discarded at any moment. Both begin with the
   * oldest event, so that none overtakes another, and the server drops the duplicates by their ids. Events that do not fit are sent by the next page.
   */
  sendAll (): void {
    const link = this.#options.link()
    const sent = [...this.#sent.values()]
    for (const { id, text } of this.#outbox.events) if (link?.send && !sent.includes(id)) this.#sent.set(link.send(text), id)
    let free = MAX_KEEPALIVE
    for (const size of this.#posting.values()) free -= size
    const events = this.#outbox.events.filter(({ text }) => (free -= bytesOf(text) + 1) >= 0)
    const last = events.at(-1)
    // A refusal of the request is ignored: without a token, the server may accept a page's events over the socket only.
    if (last && !this.#posting.has(last.id)) void this.#post(events)
  }

  /** @returns whether an own event with this id awaited its acknowledgement */
  acknowledge (ack: Acknowledgement): boolean {
    const wasPending = this.#settle(ack)
    this.flush()
    return wasPending
  }

  /** Handles a refusal: a retryable event is sent again later, any other is given up. */
  refuse (id: string, error: RoomError): void {
    if (error.retryable) {
      if (id !== this.#inFlight) return
      this.#answered(id)
      // The event stays in flight until then, so that no later event overtakes it.
      this.#inFlight = id
      this.#timer = this.#environment.setTimeout(() => {
        this.#inFlight = undefined
        this.flush()
      }, delayAfter(this.#refusals++, this.#environment.random()))
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

  #settle ({ id, epoch, seq, duplicate }: Acknowledgement): boolean {
    const receipt = { epoch, seq, duplicate }
    const settled = this.#outbox.settle(id, receipt)
    if (!settled) return false
    this.#refusals = 0
    this.#answered(settled.event.id)
    this.#options.logged(settled.event, receipt)
    return true
  }

  /** @returns the error of the request; undefined if the server took it */
  async #post (events: readonly Outgoing[]): Promise<RoomError | undefined> {
    const { id } = events.at(-1)!
    this.#posting.set(id, bytesOf(events.map(({ text }) => text).join()))
    const deadline = this.#environment.setTimeout(() => this.#posting.delete(id), ACK_TIMEOUT)
    const result = await post(this.#environment, this.#options.url, this.#options.headers(), events)
    this.#environment.clearTimeout(deadline)
    this.#posting.delete(id)
    if (result instanceof RoomError) return result
    result.forEach((receipt, i) => { if (receipt.seq) this.#settle({ ...receipt as Receipt, id: events[i]!.id }) })
    this.flush()
    return undefined
  }
}
