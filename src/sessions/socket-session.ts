// Session of one WebSocket: greeting, messages in, frames out, heartbeat, and the close.
import type { LogEntry } from '../broker/broker.js'
import type { Clocks } from '../clock.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { decodeFrame } from '../protocol/decode.js'
import { greeting } from '../protocol/encode.js'
import type { Log } from '../rooms/log.js'
import { MembershipMap } from '../rooms/membership-map.js'
import type { Subscriber } from '../rooms/room.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Batch } from '../websocket/batch.js'
import { BatchWriter, type WritableConnection } from '../websocket/batch-writer.js'
import type { WebSocketLike } from '../websocket/fast-socket.js'
import { encodePong } from '../websocket/frame-writer.js'
import type { Transport } from '../websocket/transport.js'
import { isEvent, type FrameDispatcher } from './frame-dispatcher.js'
import { Inbox, type Arrival, type InboxOwner } from './inbox.js'
import { SocketRateLimits, type MessageRates } from './rate-limits.js'
import { SendQueue } from './send-queue.js'
import type { ManagedSession } from './session-registry.js'

/** Settings and services that all sessions of a server share. */
export interface SocketSessionOptions extends Clocks {
  readonly rooms: Rooms
  readonly metrics: Metrics
  readonly log: Log
  readonly transport: Transport
  readonly dispatcher: FrameDispatcher
  readonly maxOutboxBytes: number
  readonly messageRates: MessageRates | undefined
  /** Time for a socket to present a valid token, ms; undefined if the server requires no tokens. */
  readonly joinTimeout: number | undefined
}

/** A socket and where it comes from. */
export interface SessionSource {
  readonly clientId: string
  /** Client address, as the connection limits count it. */
  readonly address: string
  readonly socket: WebSocketLike
  /** Connection under the socket. */
  readonly connection: WritableConnection
}

/** One object per socket, which holds no more than belongs to it: see {@link FrameDispatcher} for what its messages do. */
export class SocketSession implements Subscriber, ManagedSession, InboxOwner {
  readonly transport = 'socket'
  readonly clientId: string
  readonly address: string
  readonly memberships = new MembershipMap()
  /** Number of the oldest unanswered ping; 0 if there is none. */
  unansweredPing = 0
  /** Time at which to check if the socket may stay, ms by the monotonic clock. */
  deadline = Infinity
  readonly #socket: WebSocketLike
  readonly #options: SocketSessionOptions
  readonly #sendQueue: SendQueue
  readonly #inbox = new Inbox(this)
  readonly #rateLimits: SocketRateLimits
  readonly #openedAt: number
  /** Number of messages received. */
  #messages = 0
  /** The socket has presented a valid token. */
  #authenticated = false
  #ended = false
  /** Close code sent by the server; undefined if the server has not closed the socket. */
  #closedWith: number | undefined

  constructor ({ clientId, address, socket, connection }: SessionSource, options: SocketSessionOptions) {
    this.clientId = clientId
    this.address = address
    this.#socket = socket
    this.#options = options
    this.#openedAt = options.monotonic()
    this.#sendQueue = new SendQueue(new BatchWriter(connection, options.transport), options.maxOutboxBytes, this)
    if (options.joinTimeout !== undefined) this.deadline = this.#openedAt + options.joinTimeout
    this.#rateLimits = new SocketRateLimits(options.messageRates)
  }

  /** Greets the client. @param before bytes to send in front of the greeting in the same write, such as the handshake response */
  greet (before?: Uint8Array): void {
    const { transport, now } = this.#options
    if (before) this.#sendQueue.send(before)
    this.#sendQueue.send(transport.frames.encodeText(greeting(this.clientId, now()), true))
  }

  /**
   * Receives one text message from the socket.
   * @param bytes hold the message, UTF-8, from `start` to `end`; no reference to the bytes is kept
   * @param batch batch of the message, whose start is the time of its arrival
   */
  onMessage (bytes: Buffer, start: number, end: number, batch: Batch): void {
    if (this.#ended) return
    const number = ++this.#messages
    const { now, startedAt: at } = batch
    const excess = this.#rateLimits.check(at)
    if (excess === 'flood') return this.#closeFlood()
    try {
      const frame = decodeFrame(bytes, start, end)
      this.#inbox.push({ frame: excess === 'over' ? { ...frame, failure: new Failure('RATE_LIMITED') } : frame, now, at, number })
      if (this.#inbox.isFull) this.#pause()
    } catch (err) {
      this.onBug(err)
    }
  }

  /** Closes the socket: binary messages are not supported. */
  onBinaryMessage (batch: Batch): void {
    if (this.#ended) return
    if (this.#rateLimits.isFlood(batch.startedAt)) this.#closeFlood()
    else this.close(CLOSE.UNSUPPORTED_DATA)
  }

  /** Answers a ping. A ping costs the server a pong, so pings count as messages do. @param data payload to echo (RFC 6455 §5.5.3) */
  onPing (data: Buffer, batch: Batch): void {
    if (this.#ended) return
    if (this.#rateLimits.isFlood(batch.startedAt)) this.#closeFlood()
    else this.#sendQueue.send(encodePong(data))
  }

  /** Unsolicited pongs count as messages, too. */
  onPong (batch: Batch): void {
    if (this.unansweredPing > 0) this.unansweredPing = 0
    else if (!this.#ended && this.#rateLimits.isFlood(batch.startedAt)) this.#closeFlood()
  }

  handle (arrival: Arrival, before: Promise<void> | undefined): Promise<void> | undefined { return this.#options.dispatcher.dispatch(this, arrival, before) }

  /** Events for a room that the socket has joined: the broker keeps their order, so that none has to wait for the answer to the one before. */
  mayOverlap ({ frame }: Arrival): boolean { return !('failure' in frame) && isEvent(frame) && this.memberships.get(frame.payload.roomId) !== undefined }

  onBug (error: unknown): void { this.#options.dispatcher.onBug(this, error) }

  onProgress (): void {
    if (this.#socket.isPaused && !this.#inbox.isFull && this.#closedWith !== CLOSE.RATE_LIMIT.code) this.#socket.resume()
    if (this.#ended && !this.#inbox.isBusy) this.#options.rooms.drop(this)
  }

  send ({ frame }: LogEntry): void { this.#sendQueue.send(frame) }

  sendPaced ({ frame }: LogEntry): Promise<void> | undefined { return this.#sendQueue.sendPaced(frame) }

  sendControl (frame: string): void { this.#sendQueue.send(this.#options.transport.frames.encodeText(frame)) }

  onFull (): void { this.close(CLOSE.TOO_SLOW) }

  /** @param number of the heartbeat tick, from 1; the same for all sessions of a bucket */
  ping (number: number): void {
    // The pong of a paused socket would not be read, and a closing socket gets no pings.
    if (this.#socket.isPaused || !this.#sendQueue.isOpen) return
    this.unansweredPing ||= number
    this.#sendQueue.ping()
  }

  /** A valid token admits the socket until the token ends. @param endsAt ms by the monotonic clock */
  authenticate (endsAt: number): void {
    this.deadline = Math.min(this.#authenticated ? this.deadline : Infinity, endsAt)
    this.#authenticated = true
  }

  /** Closes the socket if no valid token was presented in time or a token has expired; otherwise moves the deadline. */
  expire (time: number): void {
    if (!this.#authenticated) return this.close(CLOSE.NO_JOIN)
    const ends = this.memberships.values().map(({ claims }) => 'endsAt' in claims ? claims.endsAt : Infinity)
    this.deadline = Math.min(...ends)
    if (this.deadline <= time) this.close(CLOSE.TOKEN_EXPIRED)
  }

  countInvalidFrame (): void { if (this.#rateLimits.isOverErrorLimit(this.#options.monotonic())) this.close(CLOSE.INVALID_FRAMES) }

  /** True if the server closed the socket, not the client. */
  get isClosedByServer (): boolean { return this.#closedWith !== undefined }

  /** Closes the socket from the server's side. Messages that the client still sends are ignored. */
  close (reason: CloseReason): void {
    // The socket is already closing, and the client gets the first reason.
    if (!this.#sendQueue.isOpen) return
    this.#ended = true
    this.#closedWith = reason.code
    this.#inbox.clear()
    if (reason === CLOSE.TOO_SLOW) this.#options.metrics.slowConsumers.inc({ transport: this.transport })
    this.#sendQueue.close()
    this.#socket.close(reason.code, reason.reason)
    this.#options.rooms.drop(this)
  }

  /** Socket is closing, from either side: what is queued is written, and nothing more. */
  onClosing (): void { this.#sendQueue.close() }

  /** Socket closed. Messages already received are still processed: a phone often disconnects right after its last event. */
  onClose (code: number): void {
    const { log, metrics, monotonic, rooms } = this.#options
    metrics.closed(this.#closedWith ?? code)
    log.info({ clientId: this.clientId, code, closedWith: this.#closedWith, rooms: this.memberships.size, openFor: Math.round(monotonic() - this.#openedAt) }, 'client disconnected')
    this.#ended = true
    this.#sendQueue.close()
    if (!this.#inbox.isBusy) rooms.drop(this)
  }

  #closeFlood (): void {
    this.close(CLOSE.RATE_LIMIT)
    // Do not read the rest of the flood; the close timeout ends the connection.
    this.#pause()
  }

  /** Stops reading. Pongs are then not read either, so the last ping no longer counts as unanswered. */
  #pause (): void {
    this.#socket.pause()
    this.unansweredPing = 0
  }
}
