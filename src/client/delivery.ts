// Gets our own events into the room's log: in order, one at a time, over whatever link there is, and as the page goes over both ways.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'
import type { Link } from './link.js'
import { PendingEvents } from './pending-events.js'
import type { DeviceRecord, Outgoing } from './record.js'
import { delayAfter } from './reconnect.js'
import { post } from './rest.js'

/** How long an event may be unanswered before the link counts as dead, ms. */
const ACK_TIMEOUT = 10_000

export interface DeliveryOptions {
  /** The address that events are posted to. */
  readonly url: string
  readonly headers: () => Record<string, string>
  /** The link, while the room is joined over it. */
  readonly link: () => Link | undefined
  /** The link gives no answers. */
  readonly onDeadLink: (reason: string) => void
  /** One of our events is in the log. */
  readonly logged: (event: Outgoing, receipt: Receipt) => void
  /** An event was refused, and nobody waited to be told. */
  readonly refused: (error: RoomError) => void
}

export class Delivery {
  readonly #environment: Environment
  readonly #options: DeliveryOptions
  readonly #outbox: PendingEvents
  /** Being posted now. */
  readonly #posting = new Set<string>()
  /** The event that waits for its answer. One at a time: a refusal of one must not let the next one pass it by. */
  #inFlight: string | undefined
  #refusals = 0
  #timer: unknown

  constructor (environment: Environment, record: DeviceRecord, options: DeliveryOptions) {
    this.#environment = environment
    this.#options = options
    this.#outbox = new PendingEvents(record)
  }

  add (id: string, text: string): Promise<Receipt> {
    const promise = this.#outbox.add(id, text)
    this.flush()
    return promise
  }

  /** Whether an event of ours with this id waits for its answer. */
  has (id: string | undefined): id is string { return this.#outbox.events.some((event) => event.id === id) }

  /** Sends the next event, if the last one was answered. */
  flush (): void {
    const link = this.#options.link()
    const [next] = this.#outbox.events
    if (!link || !next || this.#inFlight !== undefined) return
    this.#inFlight = next.id
    this.#timer = this.#environment.setTimeout(() => this.#options.onDeadLink('no acknowledgement'), ACK_TIMEOUT)
    if (link.send) link.send(next.text)
    else void this.#post(next).then((fate) => { if (fate instanceof RoomError) this.refuse(next.id, fate) })
  }

  /** The page may be gone the next moment: everything goes out at once, over the link and as requests that outlive the page. The server tells them apart by their ids. */
  sendAll (): void {
    const link = this.#options.link()
    for (const event of [...this.#outbox.events]) {
      if (event.id !== this.#inFlight) link?.send?.(event.text)
      // Its refusal says nothing: without a token a page may be heard over the socket alone.
      if (!this.#posting.has(event.id)) void this.#post(event)
    }
  }

  acknowledge (id: string, receipt: Receipt): void {
    const settled = this.#outbox.settle(id, receipt)
    if (!settled) return
    this.#refusals = 0
    this.#answered(id)
    this.#options.logged(settled.event, receipt)
    this.flush()
  }

  /** An event was refused: for now, and it is sent again, or for good. */
  refuse (id: string, error: RoomError): void {
    const { setTimeout, random } = this.#environment
    if (error.retryable) {
      if (id !== this.#inFlight) return
      this.#answered(id)
      // It stays in flight until then, so that nothing is sent before it.
      this.#inFlight = id
      this.#timer = setTimeout(() => {
        this.#inFlight = undefined
        this.flush()
      }, delayAfter(this.#refusals++, random()))
      return
    }
    const settled = this.#outbox.settle(id, error)
    this.#answered(id)
    if (settled && !settled.told) this.#options.refused(error)
    this.flush()
  }

  /** A refusal without a name: the server does not repeat an id that breaks its rules, so it is that of the event in flight. */
  refuseUnnamed (error: RoomError): void { if (this.#inFlight !== undefined && !error.retryable) this.refuse(this.#inFlight, error) }

  /** The link is gone; what was in flight is sent again over the next one. */
  lost (): void { if (this.#inFlight !== undefined) this.#answered(this.#inFlight) }

  /** No more is sent. What waits stays recorded, but for the event that the socket was closed for. */
  end (error: RoomError, isFault: boolean): void {
    if (isFault && this.#inFlight !== undefined) this.#outbox.settle(this.#inFlight, error)
    this.lost()
    this.#outbox.abandon(error)
  }

  #answered (id: string): void {
    if (id !== this.#inFlight) return
    this.#inFlight = undefined
    this.#environment.clearTimeout(this.#timer)
  }

  async #post ({ id, text }: Outgoing): Promise<Receipt | RoomError> {
    this.#posting.add(id)
    const fate = await post(this.#environment, this.#options.url, this.#options.headers(), text)
    this.#posting.delete(id)
    if (!(fate instanceof RoomError)) this.acknowledge(id, fate)
    return fate
  }
}
