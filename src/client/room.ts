// One device in one room: joins, rejoins after every connection loss, emits the room's events and publishes the device's own.
import { Connection } from './connection.js'
import { Delivery } from './delivery.js'
import { environment, type Environment } from './environment.js'
import { Feed, type Joined } from './feed.js'
import {
  RoomError, type Ack, type DevicePaymentEvent, type Frame, type PayloadOf, type PaymentEventType, type PaymentState, type Position, type Receipt, type RoomMember
} from './frames.js'
import { addresses, streamAddress, type ConnectOptions } from './options.js'
import { outgoing, refused } from './pending-events.js'
import { watchPage } from './page.js'
import { DeviceRecord } from './record.js'
import { joinRefusals, type JoinRefusals } from './refusals.js'
import { Emitter, ROOM_CLOSED, type Closing, type EventArg, type PreviousArg, type RoomEventMap, type Stalled, type Status } from './signals.js'

interface Refusal { readonly id?: string, readonly number?: number, readonly code: RoomError['code'], readonly message: string, readonly retryable: boolean }

// Past 150 lines, since it is the public interface of a room: what can be delegated is done by the connection, the delivery and the feed.
export class Room {
  readonly #options: ConnectOptions
  readonly #environment: Environment
  readonly #record: DeviceRecord
  readonly #connection: Connection
  readonly #delivery: Delivery
  readonly #feed: Feed
  readonly #emitter = new Emitter()
  readonly #refusals: JoinRefusals
  readonly #stopWatching: () => void
  #status: Status = 'connecting'
  #token: string | undefined
  /** Id of the join that has no reply yet. */
  #joinId: string | undefined

  constructor (options: ConnectOptions) {
    const { url, roomId, role, deviceId, pingInterval = 20_000, pongTimeout = 5_000, socketAttempts = 3 } = options
    const platform = this.#environment = environment(options)
    const { socket, events } = addresses(options)
    const headers = (): Record<string, string> => this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }
    this.#options = options
    this.#refusals = joinRefusals(platform, options.token)
    this.#record = new DeviceRecord(platform.storage, `ws-payment ${url} ${roomId} ${deviceId ?? role}`, () => deviceId ?? platform.newId())
    this.#feed = new Feed(platform, this.#emitter, this.#record, () => this.#resync())
    this.#delivery = new Delivery(platform, this.#record, {
      url: events,
      headers,
      link: () => this.#status === 'online' ? this.#connection.link : undefined,
      onDeadLink: () => this.#connection.fail(),
      refusedAccess: (error) => this.#refusedJoin(error),
      logged: (event, receipt) => this.#logged(event.text, receipt),
      refused: (error) => this.#emitter.emit('error', error)
    })
    this.#connection = new Connection(platform, {
      socketUrl: socket, streamUrl: () => streamAddress(events, this.deviceId, options, this.position), headers, pingInterval, pongTimeout, socketAttempts
    }, {
      prepare: () => this.#renewToken(),
      opened: () => this.#join(),
      frame: (frame) => this.#receive(frame),
      refused: (error) => this.#refusedJoin(error),
      lost: () => this.#lost(),
      ended: (closing) => this.#end(closing)
    })
    this.#stopWatching = watchPage(platform, {
      hidden: () => this.#delivery.sendAll(),
      suspended: () => {
        this.#delivery.sendAll()
        this.#connection.suspend()
      },
      resumed: () => this.#connection.resume(),
      awake: () => this.#connection.wake()
    })
    void this.#connection.connect()
  }

  get roomId (): string { return this.#options.roomId }
  get deviceId (): string { return this.#record.deviceId }
  get status (): Status { return this.#status }
  /** Payment state; undefined until the first join. Until the next join, `updatedAt` of own events is by the local clock. */
  get state (): PaymentState | undefined { return this.#feed.state }
  /** Position of the last event of the log that was handled here; undefined until the first join. */
  get position (): Position | undefined { return this.#feed.position }
  /** Members of the room, if `presence` was requested. */
  get members (): readonly RoomMember[] { return this.#feed.members }
  /** Transport in use, if any. */
  get transport (): 'socket' | 'stream' | undefined { return this.#connection.transport }

  /**
   * Listens to a signal (`event`, `state`, `settled`, `status`, `members`, `stalled`, `gap`, `error`, `closed`) or to one type of event.
   * @returns a function that ends the subscription
   */
  on<T extends keyof RoomEventMap | PaymentEventType | (string & {})> (type: T, handler: (value: EventArg<T>, previous: PreviousArg<T>) => void): () => void {
    const end = this.#emitter.on(type, handler)
    // A handler that is added after the join gets a result that was there before it.
    if (type === 'settled') queueMicrotask(() => this.#feed.settle())
    return end
  }

  /**
   * Publishes an event of a device, however long that takes: the event survives lost connections and a reload of the page.
   * @param options.id id of the event; an event that is published again with the same id is logged once
   * @returns position of the event in the log. Rejects with a `RoomError` if no retry can help, for example with the code `ROOM_CLOSED` after the
   * deadline of the payment link, and if the room is closed before the acknowledgement; in that case the event may be in the log or not. Never throws.
   */
  publish<T extends DevicePaymentEvent> (type: T, payload?: PayloadOf<T> & Record<string, unknown>, options?: { id?: string }): Promise<Receipt> {
    if (this.#status === 'closed') return refused(new RoomError('CLOSED', 'The room is closed.'))
    const event = outgoing(() => ({ type, payload: { ...payload, roomId: this.roomId, deviceId: this.deviceId }, id: options?.id ?? this.#environment.newId() }))
    if (event instanceof RoomError) return refused(event)
    const promise = this.#delivery.add(event)
    if (this.#environment.document?.visibilityState === 'hidden') this.#delivery.sendAll()
    return promise
  }

  /**
   * Leaves the room for good. Pending events are sent a last time now, and again by the next client of this device; nothing stays stored once all are acknowledged.
   * @param options.keep true: the device id, the position and the results stay stored, for a component that may be mounted again
   */
  close ({ keep = false }: { keep?: boolean } = {}): void {
    if (this.#status === 'closed') return
    this.#delivery.sendAll()
    if (this.#status === 'online') this.#send('LEAVE_ROOM')
    // Before the handlers of `closed`, which may connect anew.
    if (!keep) this.#record.finish()
    this.#end({ code: 1000, reason: 'client' })
  }

  #renewToken (): Promise<void> | void {
    const { token } = this.#options
    if (typeof token !== 'function') this.#token = token
    else return Promise.resolve(token()).then((fresh) => { this.#token = fresh })
  }

  #join (): void {
    const { role, presence, stalls } = this.#options
    this.#joinId = this.#environment.newId()
    this.#connection.expectJoin()
    this.#send('JOIN_ROOM', { deviceId: this.deviceId, role, token: this.#token, presence, stalls, recover: this.position ?? { seq: 0 } }, this.#joinId)
  }

  #send (type: string, payload?: object, id?: string): void {
    this.#connection.link?.send?.(JSON.stringify({ type, payload: { roomId: this.roomId, ...payload }, id }))
  }

  /** Joins again from the current position: the reply brings the missing entries and the state. */
  #resync (): void {
    if (this.#status !== 'online' || this.#joinId !== undefined) return
    if (this.#connection.transport === 'socket') this.#join()
    else void this.#connection.connect()
  }

  #receive ({ type, payload, seq, ...rest }: Frame): void {
    if (type === 'ROOM_JOINED') this.#joined(payload as unknown as Joined)
    else if (type === 'ACK') this.#delivery.acknowledge(payload as unknown as Ack)
    else if (type === 'ERROR') this.#refused(payload as unknown as Refusal)
    else if (type === 'ROOM_CLOSED') this.#end({ code: ROOM_CLOSED, reason: payload.reason as string })
    else if (type === 'DEVICE_JOINED' || type === 'DEVICE_LEFT') this.#feed.applyPresence(type, payload as unknown as RoomMember)
    else if (type === 'PAYMENT_STALLED') this.#emitter.emit('stalled', payload as unknown as Stalled)
    else if (seq !== undefined && this.position) this.#logEntry({ epoch: this.position.epoch, seq }, { type, payload, ...rest } as Frame & { timestamp: number })
  }

  #joined (reply: Joined): void {
    this.#joinId = undefined
    this.#refusals.reset()
    this.#connection.joined()
    this.#feed.joined(reply)
    this.#become('online')
    // A fact that was logged after this reply was written.
    if (this.#feed.isStale) this.#resync()
    this.#delivery.flush()
  }

  /**
   * Takes an entry of the log. An own event may come back: replayed after its acknowledgement or the storage was lost, published over HTTP, or published in
   * another tab of the same device. The same id from another device is another event, and the server tells its sender.
   */
  #logEntry (at: Position, frame: Frame & { timestamp: number }): void {
    const isOfDevice = frame.payload.deviceId === this.deviceId
    if (isOfDevice && this.#delivery.acknowledge({ ...at, id: frame.id, duplicate: false })) return
    this.#feed.take(at.seq, frame, isOfDevice && frame.source === 'device')
  }

  #logged (text: string, { epoch, seq }: Receipt): void {
    // Before the first join there is no state to change; the reply to that join includes this event.
    if (!this.state) return
    if (epoch === this.position?.epoch) this.#feed.take(seq, { ...JSON.parse(text), timestamp: this.#environment.now() }, true)
    else this.#resync()
  }

  #refused ({ id, number, code, message, retryable }: Refusal): void {
    const error = new RoomError(code, message, retryable)
    // The server does not repeat an id that breaks its rules.
    const refused = id ?? this.#delivery.idOf(number!)
    if (refused === undefined) this.#emitter.emit('error', error)
    else if (refused === this.#joinId) this.#refusedJoin(error)
    else this.#delivery.refuse(refused, error)
  }

  #refusedJoin (error: RoomError): void {
    const { code } = error
    this.#emitter.emit('error', error)
    // A handler may have closed the room.
    if (this.#status === 'closed') return
    if (this.#refusals.isFinal(error)) this.#end({ code: code === 'ROOM_CLOSED' ? ROOM_CLOSED : 0, reason: code })
    else this.#connection.fail()
  }

  #lost (): void {
    this.#joinId = undefined
    this.#delivery.lost()
    this.#become('offline')
  }

  #become (status: Status): void {
    if (this.#status === status || this.#status === 'closed') return
    this.#status = status
    this.#emitter.emit('status', status)
  }

  #end (closing: Closing): void {
    if (this.#status === 'closed') return
    this.#stopWatching()
    this.#connection.end()
    this.#feed.end()
    this.#refusals.reset()
    // 1003, 1007, 1009: the message itself was at fault, and would be at fault again.
    this.#delivery.end(new RoomError('CLOSED', `The room is closed: ${closing.reason}`), closing.code > 1000 && closing.code < 1010)
    if (closing.code === ROOM_CLOSED) {
      this.#record.outgoing = []
      this.#record.finish()
    }
    this.#become('closed')
    this.#emitter.emit('closed', closing)
  }
}
