// Dispatches the messages of all sockets by their type, and answers them. One object per server: what belongs to one socket is in its session.
import { ANONYMOUS, type Claims } from '../auth/policy.js'
import type { Published } from '../broker/broker.js'
import type { Clocks } from '../clock.js'
import { Failure } from '../errors.js'
import { mapMaybePromise, type MaybePromise } from '../maybe-promise.js'
import type { Metrics } from '../metrics/metrics.js'
import { encodeFrame } from '../protocol/encode.js'
import type { ClientFrame, RefusedFrame } from '../protocol/decode.js'
import type { JoinRoom } from '../protocol/events.js'
import type { Ack, ErrorFrame, Pong, RoomLeft } from '../protocol/server-frames.js'
import { roomJoined } from '../rooms/joined.js'
import { writesDebug, type Log } from '../rooms/log.js'
import type { PaymentEvent } from '../rooms/publisher.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Batch } from '../websocket/batch.js'
import type { Arrival } from './inbox.js'
import type { SocketSession } from './socket-session.js'

export interface FrameDispatcherOptions extends Clocks {
  readonly rooms: Rooms
  readonly metrics: Metrics
  readonly log: Log
  readonly batch: Batch
  /** Verifies a token; undefined if the server requires no tokens. */
  readonly verify: ((token: string) => Promise<Claims | Failure>) | undefined
}

/** Types of the messages that are no events. */
const REQUESTS: ReadonlySet<string> = new Set<ClientFrame['type']>(['JOIN_ROOM', 'LEAVE_ROOM', 'PING'])

/** True for a message that is published in a room. */
export function isEvent ({ type }: ClientFrame): boolean { return !REQUESTS.has(type) }

export class FrameDispatcher {
  readonly #options: FrameDispatcherOptions

  constructor (options: FrameDispatcherOptions) { this.#options = options }

  /**
   * Processes one message and answers it.
   * @param before done when the message before it is answered, if it is an event that is not answered yet
   * @returns a promise if the message is still in progress; the promise never rejects
   */
  dispatch (session: SocketSession, arrival: Arrival, before: Promise<void> | undefined): Promise<void> | undefined {
    const { frame } = arrival
    try {
      if ('failure' in frame) return this.#onInvalid(session, frame, arrival.number)
      const outcome = before ? this.#publishBehind(session, frame as PaymentEvent, arrival, before) : this.#process(session, frame, arrival)
      if (outcome instanceof Promise) return outcome.then((failure) => this.#conclude(session, failure, frame.id)).catch((err: unknown) => this.onBug(session, err))
      this.#conclude(session, outcome, frame.id)
    } catch (err) {
      this.onBug(session, err)
    }
    return undefined
  }

  /** Reports a bug: the log gets the error, the client `INTERNAL`, and the socket stays open. */
  onBug (session: SocketSession, err: unknown): void {
    this.#options.log.error({ err, clientId: session.clientId }, 'message handling failed')
    this.#sendError(session, new Failure('INTERNAL'))
  }

  #onInvalid (session: SocketSession, { failure, id, hasUnusableId }: RefusedFrame, number: number): undefined {
    this.#sendError(session, failure, id, hasUnusableId ? number : undefined)
    // Too many messages, and valid ones with card data, count for the message rate alone: a payer who types a card number is no broken client.
    if (failure.code !== 'RATE_LIMITED' && failure.code !== 'SENSITIVE_DATA') session.countInvalidFrame()
  }

  #conclude (session: SocketSession, failure: Failure | undefined, id: string | undefined): void { if (failure) this.#sendError(session, failure, id) }

  #process (session: SocketSession, frame: ClientFrame, arrival: Arrival): MaybePromise<Failure | undefined> {
    switch (frame.type) {
      case 'JOIN_ROOM': return this.#enter(session, frame.payload as JoinRoom, frame.id)
      case 'LEAVE_ROOM': return this.#leave(session, frame.payload.roomId)
      case 'PING': return this.#pong(session)
      default: return this.#publish(session, frame as PaymentEvent, arrival)
    }
  }

  /** Joins a room. If the token is rejected, replies with the error; then closes the socket, or counts an invalid frame if the socket is already in a room. */
  #enter (session: SocketSession, request: JoinRoom, id: string | undefined): MaybePromise<Failure | undefined> {
    const { verify } = this.#options
    const claims = verify ? verify(request.token ?? '') : ANONYMOUS
    return mapMaybePromise(mapMaybePromise(claims, (claims) => this.#join(session, request, claims)), (failure) => {
      if (!failure?.close) return failure
      this.#sendError(session, failure, id)
      if (session.memberships.size === 0) session.close(failure.close)
      else session.countInvalidFrame()
      return undefined
    })
  }

  #join (session: SocketSession, { roomId, deviceId, role, recover, presence, stalls }: JoinRoom, claims: Claims | Failure): MaybePromise<Failure | undefined> {
    if (claims instanceof Failure) return claims
    if ('endsAt' in claims) session.authenticate(claims.endsAt)
    const { rooms, now } = this.#options
    return rooms.join(session, { roomId, deviceId, role, recover, presence, stalls, claims }, (member, view) => {
      const members = presence ? rooms.members(roomId, view.remoteMembers) : undefined
      session.sendControl(encodeFrame('ROOM_JOINED', roomJoined(member, view, now(), recover !== undefined, members)))
    })
  }

  #leave (session: SocketSession, roomId: string): Failure | undefined {
    const failure = this.#options.rooms.leave(session, roomId)
    if (failure) return failure
    const left: RoomLeft = { roomId, timestamp: this.#options.now() }
    session.sendControl(encodeFrame('ROOM_LEFT', left))
    return undefined
  }

  #pong (session: SocketSession): undefined {
    const pong: Pong = { timestamp: this.#options.now() }
    session.sendControl(encodeFrame('PONG', pong))
  }

  #publish (session: SocketSession, event: PaymentEvent, arrival: Arrival): MaybePromise<Failure | undefined> {
    const published = this.#options.rooms.publish(session, event, arrival.now)
    // No helper that takes a closure: a closure per event would be garbage on the hottest path.
    if (published instanceof Promise) return published.then((later) => this.#acknowledge(session, event, arrival, later))
    return this.#acknowledge(session, event, arrival, published)
  }

  /** Publishes an event before the one in front of it is answered, and answers it after that. */
  async #publishBehind (session: SocketSession, event: PaymentEvent, arrival: Arrival, before: Promise<void>): Promise<Failure | undefined> {
    const published = await this.#options.rooms.publish(session, event, arrival.now)
    await before
    return this.#acknowledge(session, event, arrival, published)
  }

  #acknowledge (session: SocketSession, { id, payload: { roomId } }: PaymentEvent, { at }: Arrival, published: Published | Failure): Failure | undefined {
    if (published instanceof Failure) return published
    const { batch, metrics, monotonic } = this.#options
    // In a batch the event's frames are written at its end.
    if (batch.isOpen) batch.countEvent()
    else metrics.relay.observe((monotonic() - at) / 1000)
    if (id === undefined) return undefined
    const { epoch, seq, duplicate } = published
    const ack: Ack = { id, roomId, epoch, seq, duplicate }
    session.sendControl(encodeFrame('ACK', ack))
    metrics.acknowledgements.inc()
    return undefined
  }

  #sendError (session: SocketSession, { code, message, retryable }: Failure, id?: string, number?: number): void {
    const { log, metrics, now } = this.#options
    metrics.errors.inc({ code, over: 'socket' })
    if (writesDebug(log)) log.debug({ clientId: session.clientId, code }, 'message rejected')
    const refusal: ErrorFrame = { message, timestamp: now(), code, retryable, ...(id !== undefined && { id }), ...(number !== undefined && { number }) }
    session.sendControl(encodeFrame('ERROR', refusal))
  }
}
