// Session of one WebSocket: greeting, messages processed one after the other, replies, and the close.
import { mapMaybePromise, type MaybePromise } from '../maybe-promise.js'
import { ANONYMOUS, type Claims } from '../auth/policy.js'
import type { LogEntry, Published } from '../broker/broker.js'
import type { Clocks } from '../clock.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { decodeFrame, type ClientFrame, type RefusedFrame } from '../protocol/decode.js'
import { encodeFrame, encodeJoined, greeting } from '../protocol/encode.js'
import type { JoinRoom } from '../protocol/events.js'
import { encodeTextFrame } from '../websocket/frame-writer.js'
import type { Ack, ErrorFrame, Pong, RoomLeft } from '../protocol/server-frames.js'
import { SocketRateLimits, type MessageRates } from './rate-limits.js'
import { roomJoined } from '../rooms/joined.js'
import { writesDebug, type Log } from '../rooms/log.js'
import { SendQueue } from './send-queue.js'
import type { WebSocketLike } from '../websocket/fast-socket.js'
import type { PaymentEvent } from '../rooms/publisher.js'
import { observeRelayLatency } from './relay-latency.js'
import type { Member, Subscriber } from '../rooms/room.js'
import type { Rooms } from '../rooms/rooms.js'
import type { ManagedSession } from './session-registry.js'
import type { WritableConnection } from '../websocket/batch-writer.js'

/** Number of messages queued behind the one in progress at which the session stops reading from the socket. */
export const INBOX_SIZE = 64

/** `readyState` value of the WebSocket standard. */
const OPEN = 1

export interface SocketSessionOptions extends Clocks {
  readonly rooms: Rooms
  readonly metrics: Metrics
  readonly log: Log
  readonly maxOutboxBytes: number
  readonly messageRates: MessageRates | undefined
  /** Verifies a token; undefined if the server requires no tokens. */
  readonly verify: ((token: string) => Promise<Claims | Failure>) | undefined
  /** Time for a socket to present a valid token if the server requires one, ms. */
  readonly joinTimeout: number
}

/** A received message, decoded, and its arrival time, ms by the monotonic clock. */
interface ReceivedFrame { readonly frame: ClientFrame | RefusedFrame, readonly at: number }

export class SocketSession implements Subscriber, ManagedSession {
  readonly transport = 'socket'
  readonly memberships = new Map<string, Member>()
  /** Number of the oldest unanswered ping; 0 if there is none. */
  unansweredPing = 0
  /** Time at which to check if the socket may stay, ms by the monotonic clock. */
  deadline = Infinity
  readonly #socket: WebSocketLike
  readonly #options: SocketSessionOptions
  readonly #sendQueue: SendQueue
  /** Messages received while an earlier one was in progress. */
  readonly #inbox: ReceivedFrame[] = []
  readonly #openedAt: number
  readonly #rateLimits: SocketRateLimits
  /** The socket has presented a valid token. */
  #authenticated = false
  #busy = false
  #ended = false
  /** Close code sent by the server; undefined if the server has not closed the socket. */
  #closedWith: number | undefined

  /** @param network connection under the socket, if frames can be written to it directly */
  constructor (readonly clientId: string, socket: WebSocketLike, network: WritableConnection | undefined, options: SocketSessionOptions) {
    this.#socket = socket
    this.#options = options
    this.#openedAt = options.monotonic()
    this.#sendQueue = new SendQueue(socket, network, options.maxOutboxBytes, this)
    if (options.verify) this.deadline = this.#openedAt + options.joinTimeout
    this.#rateLimits = new SocketRateLimits(options.messageRates)
  }

  /** Greets the client. @param before bytes to send in front of the greeting in the same write, such as the handshake response */
  greet (before?: Uint8Array): void {
    if (before) this.#sendQueue.sendFrame(before)
    this.#sendQueue.sendFrame(encodeTextFrame(greeting(this.clientId, this.#options.now()), true))
  }

  /**
   * Receives one text message from the socket. Messages are processed strictly one after the other, so their order is also their order in the room.
   * @param bytes hold the message, UTF-8, from `start` to `end`; no reference to the bytes is kept
   */
  onMessage (bytes: Buffer, start = 0, end = bytes.length): void {
    if (this.#ended) return
    const at = this.#options.monotonic()
    if (this.#closeIfFlood(at)) return
    try {
      const arrival = { frame: decodeFrame(bytes, start, end), at }
      if (!this.#busy) this.#drainInbox(arrival)
      else if (this.#inbox.push(arrival) >= INBOX_SIZE) this.#pause()
    } catch (err) {
      this.#onUnexpectedError(err)
    }
  }

  /** Closes the socket: binary messages are not supported. */
  onBinaryMessage (): void {
    if (!this.#ended && !this.#closeIfFlood(this.#options.monotonic())) this.close(CLOSE.UNSUPPORTED_DATA)
  }

  send ({ frame }: LogEntry): void { this.#sendQueue.sendFrame(frame) }

  sendPaced ({ frame }: LogEntry): Promise<void> | undefined { return this.#sendQueue.sendPaced(frame) }

  sendControl (frame: string): void { this.#sendQueue.send(frame) }

  /** Answers a ping. A ping costs the server a pong, so pings count as messages do. @param data payload to echo (RFC 6455 §5.5.3) */
  onPing (data: Buffer): void {
    if (this.#ended || this.#closeIfFlood(this.#options.monotonic())) return
    this.#sendQueue.pong(data)
  }

  /** Unsolicited pongs count as messages, too. */
  onPong (): void {
    if (this.unansweredPing > 0) this.unansweredPing = 0
    else if (!this.#ended) this.#closeIfFlood(this.#options.monotonic())
  }

  /** @param number of the heartbeat tick, from 1; the same for all sessions of a bucket */
  ping (number: number): void {
    // The pong of a paused socket would not be read, and a closing socket gets no pings.
    if (this.#socket.isPaused || this.#socket.readyState !== OPEN) return
    this.unansweredPing ||= number
    this.#sendQueue.ping()
  }

  /** Closes the socket if no valid token was presented in time or a token has expired; otherwise moves the deadline. */
  expire (time: number): void {
    if (!this.#authenticated) return this.close(CLOSE.NO_JOIN)
    const ends = [...this.memberships.values()].map(({ claims }) => 'endsAt' in claims ? claims.endsAt : Infinity)
    this.deadline = Math.min(...ends)
    if (this.deadline <= time) this.close(CLOSE.TOKEN_EXPIRED)
  }

  /** True if the server closed the socket, not the client. */
  get isClosedByServer (): boolean { return this.#closedWith !== undefined }

  /** Closes the socket from the server's side. Messages that the client still sends are ignored. */
  close (reason: CloseReason): void {
    // The socket is already closing, and the client gets the first reason.
    if (this.#closedWith !== undefined || this.#socket.readyState !== OPEN) return
    this.#ended = true
    this.#closedWith = reason.code
    this.#inbox.length = 0
    if (reason === CLOSE.TOO_SLOW) this.#options.metrics.slowConsumers.inc({ transport: this.transport })
    this.#sendQueue.close(reason)
    this.#options.rooms.drop(this)
  }

  /** Socket closed. Messages already received are still processed: a phone often disconnects right after its last event. */
  onClose (code: number): void {
    const { log, metrics, monotonic } = this.#options
    metrics.closed(this.#closedWith ?? code)
    log.info({ clientId: this.clientId, code, closedWith: this.#closedWith, rooms: this.memberships.size, openFor: Math.round(monotonic() - this.#openedAt) }, 'client disconnected')
    this.#ended = true
    if (!this.#busy) this.#options.rooms.drop(this)
  }

  /** Processes a message and all messages queued behind it. Synchronous while the broker answers synchronously; otherwise the queue waits for the answer. */
  #drainInbox (first: ReceivedFrame | undefined): void {
    for (let arrival = first; arrival; arrival = this.#inbox.length > 0 ? this.#inbox.shift() : undefined) {
      const work = this.#handle(arrival)
      if (!work) continue
      this.#busy = true
      work.then(() => this.#onFrameDone()).catch((err: unknown) => this.#options.log.error({ err, clientId: this.clientId }, 'session failed'))
      return
    }
  }

  #onFrameDone (): void {
    this.#busy = false
    this.#drainInbox(this.#inbox.shift())
    if (this.#socket.isPaused && this.#inbox.length < INBOX_SIZE && this.#closedWith !== CLOSE.RATE_LIMIT.code) this.#socket.resume()
    if (this.#ended && !this.#busy) this.#options.rooms.drop(this)
  }

  /** @returns a promise if the message is still in progress; the promise never rejects */
  #handle ({ frame, at }: ReceivedFrame): Promise<void> | undefined {
    try {
      if (this.#rateLimits.isOverLimit(at)) return this.#sendError(new Failure('RATE_LIMITED'), frame.id)
      if ('failure' in frame) {
        this.#sendError(frame.failure, frame.id)
        return this.#countInvalidFrame()
      }
      const outcome = this.#dispatch(frame, at)
      if (outcome instanceof Promise) return outcome.then((failure) => this.#conclude(failure, frame.id)).catch((err: unknown) => this.#onUnexpectedError(err))
      this.#conclude(outcome, frame.id)
    } catch (err) {
      this.#onUnexpectedError(err)
    }
    return undefined
  }

  #conclude (failure: Failure | undefined, id: string | undefined): void { if (failure) this.#sendError(failure, id) }

  #onUnexpectedError (err: unknown): void {
    this.#options.log.error({ err, clientId: this.clientId }, 'frame failed')
    this.#sendError(new Failure('INTERNAL'))
  }

  #dispatch (frame: ClientFrame, arrivedAt: number): MaybePromise<Failure | undefined> {
    switch (frame.type) {
      case 'JOIN_ROOM': return this.#enter(frame.payload as JoinRoom, frame.id)
      case 'LEAVE_ROOM': return this.#leave(frame.payload.roomId)
      case 'PING': return this.#pong()
      default: return this.#publish(frame as PaymentEvent, arrivedAt)
    }
  }

  /** Joins a room. If the token is rejected, replies with the error; then closes the socket, or counts an invalid frame if the socket is already in a room. */
  #enter (request: JoinRoom, id: string | undefined): MaybePromise<Failure | undefined> {
    const { verify } = this.#options
    const claims = verify ? verify(request.token ?? '') : ANONYMOUS
    return mapMaybePromise(mapMaybePromise(claims, (claims) => this.#join(request, claims)), (failure) => {
      if (!failure?.close) return failure
      this.#sendError(failure, id)
      if (this.memberships.size === 0) this.close(failure.close)
      else this.#countInvalidFrame()
      return undefined
    })
  }

  #join ({ roomId, deviceId, role, recover, presence }: JoinRoom, claims: Claims | Failure): MaybePromise<Failure | undefined> {
    if (claims instanceof Failure) return claims
    if ('endsAt' in claims) {
      this.deadline = Math.min(this.#authenticated ? this.deadline : Infinity, claims.endsAt)
      this.#authenticated = true
    }
    const { rooms, now } = this.#options
    return rooms.join(this, { roomId, deviceId, role, recover, presence, claims }, (member, view) => {
      this.#sendQueue.send(encodeJoined(roomJoined(member, view, now(), recover !== undefined, presence ? rooms.members(roomId, view.remoteMembers) : undefined)))
    })
  }

  #leave (roomId: string): Failure | undefined {
    const failure = this.#options.rooms.leave(this, roomId)
    if (failure) return failure
    const left: RoomLeft = { roomId, timestamp: this.#options.now() }
    this.#reply('ROOM_LEFT', left)
    return undefined
  }

  #pong (): undefined {
    const pong: Pong = { timestamp: this.#options.now() }
    this.#reply('PONG', pong)
  }

  #publish (event: PaymentEvent, arrivedAt: number): MaybePromise<Failure | undefined> {
    const published = this.#options.rooms.publish(this, event)
    // No helper that takes a closure: a closure per event would be garbage on the hottest path.
    if (published instanceof Promise) return published.then((later) => this.#acknowledge(event, arrivedAt, later))
    return this.#acknowledge(event, arrivedAt, published)
  }

  #acknowledge ({ id, payload: { roomId } }: PaymentEvent, arrivedAt: number, published: Published | Failure): Failure | undefined {
    if (published instanceof Failure) return published
    const { metrics, monotonic } = this.#options
    observeRelayLatency(metrics.relay, arrivedAt, monotonic)
    if (id === undefined) return undefined
    const { epoch, seq, duplicate } = published
    const ack: Ack = { id, roomId, epoch, seq, duplicate }
    this.#reply('ACK', ack)
    metrics.acknowledgements.inc()
    return undefined
  }

  /** Stops reading. Pongs are then not read either, so the last ping no longer counts as unanswered. */
  #pause (): void {
    this.#socket.pause()
    this.unansweredPing = 0
  }

  #closeIfFlood (time: number): boolean {
    if (!this.#rateLimits.isFlood(time)) return false
    this.close(CLOSE.RATE_LIMIT)
    // Do not read the rest of the flood; the close timeout ends the connection.
    this.#pause()
    return true
  }

  #countInvalidFrame (): undefined {
    if (this.#rateLimits.isOverErrorLimit(this.#options.monotonic())) this.close(CLOSE.INVALID_FRAMES)
  }

  #sendError ({ code, message, retryable }: Failure, id?: string): undefined {
    const { log, metrics, now } = this.#options
    metrics.errors.inc({ code, over: 'socket' })
    if (writesDebug(log)) log.debug({ clientId: this.clientId, code }, 'frame refused')
    const refusal: ErrorFrame = { message, timestamp: now(), code, retryable, ...(id !== undefined && { id }) }
    this.#reply('ERROR', refusal)
  }

  #reply (type: string, payload: object): void { this.#sendQueue.send(encodeFrame(type, payload)) }
}
