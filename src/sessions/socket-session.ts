// One socket's life: greeting, its frames one after the other, the replies, and the close.
import { whenThere, type Awaitable } from '../maybe-promise.js'
import { ANYONE, type Claims } from '../auth/policy.js'
import type { LogEntry, Published } from '../broker/broker.js'
import type { Clocks } from '../clock.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { decodeFrame, encodeFrame, encodeJoined, greeting, type ClientFrame, type RefusedFrame } from '../protocol/codec.js'
import type { JoinRoom } from '../protocol/events.js'
import { framed } from '../websocket/frame-writer.js'
import type { Ack, ErrorFrame, Pong, RoomLeft } from '../protocol/server-frames.js'
import { Conduct, type MessageRates } from './rate-limits.js'
import { roomJoined } from '../rooms/joined.js'
import { writesDebug, type Log } from '../rooms/log.js'
import { Outbox } from './send-queue.js'
import type { ClientSocket } from '../websocket/fast-socket.js'
import type { PaymentEvent } from '../rooms/publisher.js'
import { countRelay } from './relay-latency.js'
import type { Member, Recipient } from '../rooms/room.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Connection } from './session-registry.js'
import type { Network } from '../websocket/batch-writer.js'

/** Frames of one socket that may wait for the one before; past it we stop reading from that socket. */
export const INBOX_SIZE = 64

/** `readyState`, in the words of the WebSocket standard. */
const OPEN = 1

export interface SessionOptions extends Clocks {
  readonly rooms: Rooms
  readonly metrics: Metrics
  readonly log: Log
  readonly maxOutboxBytes: number
  readonly messageRates: MessageRates | undefined
  /** Says what a token allows; undefined where none is asked for. */
  readonly verify: ((token: string) => Promise<Claims | Failure>) | undefined
  /** How long a socket has to show a valid token, where one is asked for, ms. */
  readonly joinTimeout: number
}

/** A received frame, and when it arrived, ms by the monotonic clock. */
interface Arrival { readonly frame: ClientFrame | RefusedFrame, readonly at: number }

export class Session implements Recipient, Connection {
  readonly transport = 'socket'
  readonly memberships = new Map<string, Member>()
  /** The number of the oldest ping that no pong has answered, 0 where there is none. */
  unansweredPing = 0
  /** When to look whether it may stay, ms by the monotonic clock. */
  deadline = Infinity
  readonly #socket: ClientSocket
  readonly #options: SessionOptions
  readonly #outbox: Outbox
  /** What arrived while one before it was still being worked on. */
  readonly #inbox: Arrival[] = []
  readonly #openedAt: number
  readonly #conduct: Conduct
  /** It has shown a valid token. */
  #proven = false
  #working = false
  #ended = false
  /** The code that we closed with, where it was us. */
  #closedWith: number | undefined

  /** @param network the connection under the socket, where it may be written to */
  constructor (readonly clientId: string, socket: ClientSocket, network: Network | undefined, options: SessionOptions) {
    this.#socket = socket
    this.#options = options
    this.#openedAt = options.monotonic()
    this.#outbox = new Outbox(socket, network, options.maxOutboxBytes, this)
    if (options.verify) this.deadline = this.#openedAt + options.joinTimeout
    this.#conduct = new Conduct(options.messageRates)
  }

  /** Greets the client. @param before bytes that are not ours and go out in front, in the same write */
  open (before?: Uint8Array): void {
    if (before) this.#outbox.sendFrame(before)
    this.#outbox.sendFrame(framed(greeting(this.clientId, this.#options.now()), true))
  }

  /**
   * Takes one text message from the socket. Frames are worked off strictly one after the other, so their order is the room's order.
   * @param bytes hold the message, UTF-8, from `start` to `end`; nothing of them is kept
   */
  receive (bytes: Buffer, start = 0, end = bytes.length): void {
    if (this.#ended) return
    const at = this.#options.monotonic()
    if (this.#floods(at)) return
    try {
      const arrival = { frame: decodeFrame(bytes, start, end), at }
      if (!this.#working) this.#work(arrival)
      else if (this.#inbox.push(arrival) >= INBOX_SIZE) this.#pause()
    } catch (err) {
      this.#fail(err)
    }
  }

  /** A message that is no text. */
  receiveBinary (): void {
    if (!this.#ended && !this.#floods(this.#options.monotonic())) this.close(CLOSE.UNSUPPORTED_DATA)
  }

  deliver ({ frame }: LogEntry): void { this.#outbox.sendFrame(frame) }

  replay ({ frame }: LogEntry): Promise<void> | undefined { return this.#outbox.sendPaced(frame) }

  notify (frame: string): void { this.#outbox.send(frame) }

  /** The client's own pings cost us a pong each, so they count as messages do. @param data what the pong has to repeat (RFC 6455 §5.5.3) */
  pinged (data: Buffer): void {
    if (this.#ended || this.#floods(this.#options.monotonic())) return
    this.#outbox.pong(data)
  }

  /** A pong that nobody asked for counts as well. */
  ponged (): void {
    if (this.unansweredPing > 0) this.unansweredPing = 0
    else if (!this.#ended) this.#floods(this.#options.monotonic())
  }

  /** @param number counts the pings of all sessions, from 1 */
  ping (number: number): void {
    // Its pong would not be read; a socket that is closing is sent no ping.
    if (this.#socket.isPaused || this.#socket.readyState !== OPEN) return
    this.unansweredPing ||= number
    this.#outbox.ping()
  }

  /** Its deadline has come. */
  expire (time: number): void {
    if (!this.#proven) return this.close(CLOSE.NO_JOIN)
    const ends = [...this.memberships.values()].map(({ claims }) => 'endsAt' in claims ? claims.endsAt : Infinity)
    this.deadline = Math.min(...ends)
    if (this.deadline <= time) this.close(CLOSE.TOKEN_EXPIRED)
  }

  /** The server has closed the socket, not the client. */
  get isClosedByServer (): boolean { return this.#closedWith !== undefined }

  /** Ends the session from our side. What the client still sends is not read. */
  close (reason: CloseReason): void {
    // It is closing already; the first reason is the one that the client is told.
    if (this.#closedWith !== undefined || this.#socket.readyState !== OPEN) return
    this.#ended = true
    this.#closedWith = reason.code
    this.#inbox.length = 0
    if (reason === CLOSE.TOO_SLOW) this.#options.metrics.slowConsumers.inc({ transport: this.transport })
    this.#outbox.close(reason)
    this.#options.rooms.drop(this)
  }

  /** The socket is gone. What it sent before it went still counts: a phone's last event is often followed by its silence. */
  end (code: number): void {
    const { log, metrics, monotonic } = this.#options
    metrics.closed(this.#closedWith ?? code)
    log.info({ clientId: this.clientId, code, closedWith: this.#closedWith, rooms: this.memberships.size, openFor: Math.round(monotonic() - this.#openedAt) }, 'client disconnected')
    this.#ended = true
    if (!this.#working) this.#options.rooms.drop(this)
  }

  /** Works off a message and all that wait behind it. An event is done at once where the broker answers at once; otherwise the rest waits for it. */
  #work (first: Arrival | undefined): void {
    for (let arrival = first; arrival; arrival = this.#inbox.length > 0 ? this.#inbox.shift() : undefined) {
      const work = this.#handle(arrival)
      if (!work) continue
      this.#working = true
      work.then(() => this.#goOn()).catch((err: unknown) => this.#options.log.error({ err, clientId: this.clientId }, 'session failed'))
      return
    }
  }

  #goOn (): void {
    this.#working = false
    this.#work(this.#inbox.shift())
    if (this.#socket.isPaused && this.#inbox.length < INBOX_SIZE && this.#closedWith !== CLOSE.RATE_LIMIT.code) this.#socket.resume()
    if (this.#ended && !this.#working) this.#options.rooms.drop(this)
  }

  /** @returns a promise where it has to wait, which does not reject */
  #handle ({ frame, at }: Arrival): Promise<void> | undefined {
    try {
      if (this.#conduct.exceeds(at)) return this.#refuse(new Failure('RATE_LIMITED'), frame.id)
      if ('failure' in frame) {
        this.#refuse(frame.failure, frame.id)
        return this.#strike()
      }
      const outcome = this.#obey(frame, at)
      if (outcome instanceof Promise) return outcome.then((failure) => this.#conclude(failure, frame.id)).catch((err: unknown) => this.#fail(err))
      this.#conclude(outcome, frame.id)
    } catch (err) {
      this.#fail(err)
    }
    return undefined
  }

  #conclude (failure: Failure | undefined, id: string | undefined): void { if (failure) this.#refuse(failure, id) }

  #fail (err: unknown): void {
    this.#options.log.error({ err, clientId: this.clientId }, 'frame failed')
    this.#refuse(new Failure('INTERNAL'))
  }

  #obey (frame: ClientFrame, arrivedAt: number): Awaitable<Failure | undefined> {
    switch (frame.type) {
      case 'JOIN_ROOM': return this.#enter(frame.payload as JoinRoom, frame.id)
      case 'LEAVE_ROOM': return this.#leave(frame.payload.roomId)
      case 'PING': return this.#pong()
      default: return this.#publish(frame as PaymentEvent, arrivedAt)
    }
  }

  /** A join whose proof does not do is told so, and ends a socket that is in no room. */
  #enter (request: JoinRoom, id: string | undefined): Awaitable<Failure | undefined> {
    const { verify } = this.#options
    const claims = verify ? verify(request.token ?? '') : ANYONE
    return whenThere(whenThere(claims, (claims) => this.#join(request, claims)), (failure) => {
      if (!failure?.close) return failure
      this.#refuse(failure, id)
      if (this.memberships.size === 0) this.close(failure.close)
      else this.#strike()
      return undefined
    })
  }

  #join ({ roomId, deviceId, role, recover, presence }: JoinRoom, claims: Claims | Failure): Awaitable<Failure | undefined> {
    if (claims instanceof Failure) return claims
    if ('endsAt' in claims) {
      this.deadline = Math.min(this.#proven ? this.deadline : Infinity, claims.endsAt)
      this.#proven = true
    }
    const { rooms, now } = this.#options
    return rooms.join(this, { roomId, deviceId, role, recover, presence, claims }, (member, view) => {
      this.#outbox.send(encodeJoined(roomJoined(member, view, now(), recover !== undefined, presence ? rooms.members(roomId, view.elsewhere) : undefined)))
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

  #publish (event: PaymentEvent, arrivedAt: number): Awaitable<Failure | undefined> {
    const published = this.#options.rooms.publish(this, event)
    // Not by way of a function, which is garbage on the hottest way there is.
    if (published instanceof Promise) return published.then((later) => this.#acknowledge(event, arrivedAt, later))
    return this.#acknowledge(event, arrivedAt, published)
  }

  #acknowledge ({ id, payload: { roomId } }: PaymentEvent, arrivedAt: number, published: Published | Failure): Failure | undefined {
    if (published instanceof Failure) return published
    const { metrics, monotonic } = this.#options
    countRelay(metrics.relay, arrivedAt, monotonic)
    if (id === undefined) return undefined
    const { epoch, seq, duplicate } = published
    const ack: Ack = { id, roomId, epoch, seq, duplicate }
    this.#reply('ACK', ack)
    metrics.acknowledgements.inc()
    return undefined
  }

  /** Stops reading; a pong that is not read is none that was not sent. */
  #pause (): void {
    this.#socket.pause()
    this.unansweredPing = 0
  }

  #floods (time: number): boolean {
    if (!this.#conduct.floods(time)) return false
    this.close(CLOSE.RATE_LIMIT)
    // The rest of the flood is not even read; the close timeout ends what is left.
    this.#pause()
    return true
  }

  #strike (): undefined {
    if (this.#conduct.offends(this.#options.monotonic())) this.close(CLOSE.INVALID_FRAMES)
  }

  #refuse ({ code, message, retryable }: Failure, id?: string): undefined {
    const { log, metrics, now } = this.#options
    metrics.errors.inc({ code, over: 'socket' })
    if (writesDebug(log)) log.debug({ clientId: this.clientId, code }, 'frame refused')
    const refusal: ErrorFrame = { message, timestamp: now(), code, retryable, ...(id !== undefined && { id }) }
    this.#reply('ERROR', refusal)
  }

  #reply (type: string, payload: object): void { this.#outbox.send(encodeFrame(type, payload)) }
}
