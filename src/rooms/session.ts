// One socket's life: greeting, its frames one after the other, the replies, and the close.
import type { WebSocket } from 'ws'
import type { LogEntry } from '../broker/broker.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import { decodeFrame, encodeFrame, type ClientFrame } from '../protocol/codec.js'
import { EVENT_TYPES, type JoinRoom } from '../protocol/events.js'
import type { Ack, ConnectionEstablished, ErrorFrame, Pong, RoomLeft } from '../protocol/server-frames.js'
import { roomJoined } from './joined.js'
import { writesDebug, type Log } from './log.js'
import { Outbox } from './outbox.js'
import type { Member, Recipient } from './room.js'
import type { PaymentEvent, Rooms } from './rooms.js'
import type { Connection } from './sessions.js'

/** Frames of one socket that may wait for the one before; past it we stop reading from that socket. */
export const INBOX_SIZE = 64

export interface SessionOptions {
  readonly rooms: Rooms
  readonly log: Log
  /** ms since the epoch. */
  readonly now: () => number
  readonly maxOutboxBytes: number
}

export class Session implements Recipient, Connection {
  readonly memberships = new Map<string, Member>()
  /** The number of the oldest ping that no pong has answered, 0 where there is none. */
  unansweredPing = 0
  readonly #socket: WebSocket
  readonly #options: SessionOptions
  readonly #outbox: Outbox
  readonly #inbox: Buffer[] = []
  readonly #openedAt: number
  #working = false
  #ended = false
  /** The code that we closed with, where it was us. */
  #closedWith: number | undefined

  constructor (readonly clientId: string, socket: WebSocket, options: SessionOptions) {
    this.#socket = socket
    this.#options = options
    this.#openedAt = options.now()
    this.#outbox = new Outbox(socket, options.maxOutboxBytes, () => this.close(CLOSE.TOO_SLOW))
  }

  /** Greets the client. */
  open (): void {
    const { now } = this.#options
    const greeting: ConnectionEstablished = {
      clientId: this.clientId, message: 'Connected to the payment server.', timestamp: now(), supportedEvents: EVENT_TYPES
    }
    this.#reply('CONNECTION_ESTABLISHED', greeting)
  }

  /** Takes one message from the socket. Frames are worked off strictly one after the other, so their order is the room's order. */
  receive (data: Buffer, isBinary: boolean): void {
    if (this.#ended) return
    if (isBinary) return this.close(CLOSE.UNSUPPORTED_DATA)
    this.#inbox.push(data)
    if (this.#working) {
      if (this.#inbox.length >= INBOX_SIZE) this.#socket.pause()
    } else {
      this.#work().catch((err: unknown) => this.#options.log.error({ err, clientId: this.clientId }, 'session failed'))
    }
  }

  deliver ({ frame }: LogEntry): void { this.#outbox.send(frame) }

  replay ({ frame }: LogEntry): Promise<void> | undefined { return this.#outbox.sendPaced(frame) }

  notify (frame: string): void { this.#outbox.send(frame) }

  /** @param number counts the pings of all sessions, from 1 */
  ping (number: number): void {
    this.unansweredPing ||= number
    this.#socket.ping()
  }

  /** Ends the session from our side. What the client still sends is not read. */
  close ({ code, reason }: CloseReason): void {
    this.#ended = true
    this.#closedWith = code
    this.#inbox.length = 0
    this.#socket.close(code, reason)
    this.#options.rooms.drop(this)
  }

  /** The socket is gone. What it sent before it went still counts: a phone's last event is often followed by its silence. */
  end (code: number): void {
    const { log, now } = this.#options
    log.info({ clientId: this.clientId, code, closedWith: this.#closedWith, rooms: this.memberships.size, openFor: now() - this.#openedAt }, 'client disconnected')
    this.#ended = true
    if (!this.#working) this.#options.rooms.drop(this)
  }

  async #work (): Promise<void> {
    this.#working = true
    for (let data = this.#inbox.shift(); data; data = this.#inbox.shift()) {
      try {
        await this.#handle(data)
      } catch (err) {
        this.#options.log.error({ err, clientId: this.clientId }, 'frame failed')
        this.#refuse(new Failure('INTERNAL'))
      }
      if (this.#socket.isPaused && this.#inbox.length < INBOX_SIZE) this.#socket.resume()
    }
    this.#working = false
    if (this.#ended) this.#options.rooms.drop(this)
  }

  async #handle (data: Buffer): Promise<void> {
    const frame = decodeFrame(data)
    if ('failure' in frame) return this.#refuse(frame.failure, frame.id)
    const failure = await this.#obey(frame)
    if (failure) this.#refuse(failure, frame.id)
  }

  async #obey (frame: ClientFrame): Promise<Failure | undefined> {
    switch (frame.type) {
      case 'JOIN_ROOM': return this.#join(frame.payload as JoinRoom)
      case 'LEAVE_ROOM': return this.#leave(frame.payload.roomId)
      case 'PING': return this.#pong()
      default: return this.#publish(frame as PaymentEvent)
    }
  }

  #join ({ roomId, deviceId, role = 'device1', recover, presence }: JoinRoom): Promise<Failure | undefined> {
    const { rooms, now } = this.#options
    return rooms.join(this, { roomId, deviceId, role, recover, presence }, (member, view) => {
      this.#reply('ROOM_JOINED', roomJoined(member, view, now(), recover !== undefined, presence ? rooms.members(roomId, view.elsewhere) : undefined))
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

  async #publish (event: PaymentEvent): Promise<Failure | undefined> {
    const published = await this.#options.rooms.publish(this, event)
    if (published instanceof Failure) return published
    if (event.id === undefined) return undefined
    const { epoch, seq, duplicate } = published
    const ack: Ack = { id: event.id, roomId: event.payload.roomId, epoch, seq, duplicate }
    this.#reply('ACK', ack)
    return undefined
  }

  #refuse ({ code, message, retryable }: Failure, id?: string): void {
    const { log, now } = this.#options
    if (writesDebug(log)) log.debug({ clientId: this.clientId, code }, 'frame refused')
    const refusal: ErrorFrame = { message, timestamp: now(), code, retryable, ...(id !== undefined && { id }) }
    this.#reply('ERROR', refusal)
  }

  #reply (type: string, payload: object): void { this.#outbox.send(encodeFrame(type, payload)) }
}
