// Inbox of the providers' webhooks: verifies a delivery, finds the room of each result, and publishes the result as a verified event of a backend.
// The answer is honest: 2xx only for results that are in the log, so that a provider comes again with all others.
import { hash } from 'node:crypto'
import type { Broker } from '../broker/broker.js'
import { Failure } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { checkOf } from '../protocol/compiled-checks.js'
import { checkFrame } from '../protocol/decode.js'
import { RoomId } from '../protocol/identifiers.js'
import type { Log } from '../rooms/log.js'
import type { PaymentEvent } from '../rooms/publisher.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Provider, ProviderRequest, ProviderResult } from './provider.js'
import type { RefusedDeliveries } from './refused.js'

export interface InboxOptions {
  readonly providers: ReadonlyMap<string, Provider>
  readonly rooms: Rooms
  readonly broker: Broker
  readonly refused: RefusedDeliveries
  readonly metrics: Metrics
  readonly log: Log
}

/** Outcomes of a delivery, as counted. `unauthorized`: not the provider's; `ignored`: concerns no payment, or one without a room; `refused`: breaks a rule of ours. */
export type Outcome = 'logged' | 'repeated' | 'ignored' | 'refused' | 'unauthorized' | 'invalid' | 'unavailable'

/** Response to a delivery. */
export interface InboxAnswer { readonly status: number, readonly body: string | undefined, readonly reason?: string }

const STATUS: Readonly<Record<Outcome, number>> = { logged: 200, repeated: 200, ignored: 200, refused: 422, unauthorized: 401, invalid: 400, unavailable: 503 }
/** The worst outcome of a delivery's results decides the answer. */
const SEVERITY: readonly Outcome[] = ['ignored', 'repeated', 'logged', 'refused', 'unavailable']
const isRoomId = checkOf(RoomId)
/** Longest id of an event, characters. */
const MAX_ID = 64

export class Inbox {
  readonly #options: InboxOptions

  constructor (options: InboxOptions) { this.#options = options }

  has (provider: string): boolean { return this.#options.providers.has(provider) }

  /** Takes a delivery for a configured provider. Nothing of its body is logged. */
  async receive (name: string, request: ProviderRequest): Promise<InboxAnswer> {
    const { providers, metrics, log } = this.#options
    const provider = providers.get(name)!
    const read = await provider.read(request)
    if ('reason' in read) {
      const outcome = read.status === 401 ? 'unauthorized' : read.status === 400 ? 'invalid' : 'unavailable'
      metrics.deliveries.inc({ provider: name, outcome })
      log[read.forOperator ? 'error' : 'warn']({ provider: name, outcome, reason: read.reason }, 'webhook rejected')
      return { status: read.status, body: undefined, reason: read.reason }
    }
    const outcomes: Outcome[] = ['ignored']
    // One after the other: results of one payment keep their order.
    for (const result of read.results) outcomes.push(await this.#take(name, result, request.now))
    const outcome = outcomes.reduce((worst, next) => SEVERITY.indexOf(next) > SEVERITY.indexOf(worst) ? next : worst)
    metrics.deliveries.inc({ provider: name, outcome })
    return { status: STATUS[outcome], body: STATUS[outcome] === 200 ? provider.answer : undefined, reason: outcome }
  }

  async #take (provider: string, result: ProviderResult, now: number): Promise<Outcome> {
    const { broker, refused, log } = this.#options
    const { type, payload } = result
    const payment = `${provider}:${result.payment}`
    const roomId = await this.#roomOf(result, payment)
    if (roomId === undefined) {
      // The account also takes payments that have no room here. To refuse them would make some providers stop all their webhooks.
      log.warn({ provider, type }, 'result of a provider names no room')
      return 'ignored'
    }
    if (roomId instanceof Failure && roomId.code === 'UNAVAILABLE') return 'unavailable'
    const published = roomId instanceof Failure ? roomId : await this.#publish({ type, payload: { ...payload, roomId } }, provider, result.id)
    if (!(published instanceof Failure)) {
      // Later facts of this payment may not name the room.
      await broker.nameRoom(payment, roomId as string)
      return published.isNew ? 'logged' : 'repeated'
    }
    if (published.retryable) return 'unavailable'
    const fields = { provider, type, code: published.code, reason: published.message, ...(typeof roomId === 'string' && { roomId }) }
    log.error(fields, 'result of a provider refused')
    await refused.add({ ...fields, timestamp: now })
    return 'refused'
  }

  /** Finds the room: by the reference of a link, by the name of the payment, or by its id. @returns undefined if the result names none, and its payment is not known */
  async #roomOf ({ room }: ProviderResult, payment: string): Promise<string | Failure | undefined> {
    for (const name of room === undefined ? [payment] : [room, payment]) {
      const roomId = await this.#options.broker.roomNamed(name)
      if (roomId !== undefined) return roomId
    }
    if (room === undefined) return undefined
    return isRoomId(room) ? room : new Failure('INVALID_REQUEST', 'The result names a room by an id that is not valid, and no payment link has that reference.')
  }

  async #publish (event: { type: string, payload: object }, provider: string, id: string) {
    const frame = checkFrame({ ...event, id: idOf(provider, id) }, { sender: 'backend' })
    if ('failure' in frame) return frame.failure
    const publish = (id: string) => this.#options.rooms.publishFromApi({ ...frame, id } as PaymentEvent, { principal: 'backend' })
    const published = await publish(frame.id!)
    // The details of a fact may change, such as the date until which a Pix can be paid: then they are an event of their own.
    const isOther = published instanceof Failure && published.code === 'ID_CONFLICT'
    return isOther ? publish(idOf(provider, `${id}:${hash('sha256', JSON.stringify(event.payload))}`)) : published
  }
}

/** Id of the event: the same for every delivery of one fact. */
function idOf (provider: string, id: string): string {
  const name = `${provider}:${id}`
  return name.length <= MAX_ID && /^[ -~]*$/.test(name) ? name : `${provider}:${hash('sha256', name, 'base64url')}`
}
