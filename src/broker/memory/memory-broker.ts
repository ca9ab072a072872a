// MemoryBroker: rooms and their logs in this process's memory. The default broker, and the model for the contract suite.
import { setImmediate } from 'node:timers/promises'
import type { Clocks } from '../../clock.js'
import { Failure } from '../../errors.js'
import { awaitsPayer, fold, newPayment, type Payment, type Terms } from '../../payment/state.js'
import { expiryDraft, type EventDraft } from '../event-draft.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import { LINK_EXPIRED, type Broker, type BrokerListener, type CloseCause, type Lifetime, type NewRoom, type Published, type ReadFrom, type RoomChange, type RoomPage, type RoomQuery, type RoomSummary, type RoomView } from '../broker.js'
import { listMatching } from '../room-listing.js'
import { FrameWriter } from '../../websocket/frame-writer.js'
import { EventLog } from './event-log.js'
import { RoomOrder } from './room-order.js'

export interface MemoryBrokerOptions extends Clocks {
  /** Number of events kept per room. */
  readonly logSize: number
  /** Time that a room is kept without a subscriber, ms. */
  readonly retention: number
  /** Time after the deadline of a link in which results are still taken, ms. */
  readonly lateResults?: number | undefined
  /** Time without an event after which a payment stalls, ms; undefined: payments never stall. */
  readonly stall?: number | undefined
  /** Encodes the events. Default: a writer of its own. */
  readonly frames?: FrameWriter | undefined
  /** Returns a name that was never used before, for the epoch of a new log. */
  readonly newEpoch: () => string
  /** Called for each room that starts or ends. */
  readonly onRoom?: (change: 'created' | 'removed', roomId: string) => void
  /** Called when the deadline of a payment link has passed. */
  readonly onLinkExpired?: (roomId: string) => void
  /** Called after each sweep that removed a room. */
  readonly onSweep?: (removed: number, kept: number) => void
}

interface MemoryRoom {
  /** Place of the room in the order of their starts; the cursor of listRooms(). */
  readonly number: number
  readonly log: EventLog
  readonly createdAt: number
  /** Deadline of the payment link, ms by the monotonic clock; Infinity if it has none. */
  deadline: number
  /** True once PAYMENT_EXPIRED is in the log. */
  hasExpired: boolean
  payment: Payment
  /** Other names of the room; undefined if it has none. */
  names?: readonly string[]
  lastEventAt: number | null
  /** The last event that a sweep has seen, and the time of that, ms by the monotonic clock; Infinity once its pause was reported. */
  seenSeq: number
  seenAt: number
  subscribed: boolean
  /** Number of connected members. */
  present: number
  /** End of the retention of a room without a deadline, as long as it has no subscriber, ms by the monotonic clock. */
  emptyUntil: number
  /** The deadline, or the end of the retention, by the wall clock, for clients, ms since the epoch. */
  expiresAt: number
}

/** Rooms that a sweep checks before it yields to the event loop, about 0.1 ms. */
const SWEPT_AT_ONCE = 1_000

/** Other names of one room that are kept; further ones are not found. */
export const MAX_NAMES = 100

/** `NOT_ASKED`: log part of a read without `from`. `NOBODY`: members on other nodes, which an in-process broker never has. */
const NOT_ASKED = { recovered: false, entries: [] }
const NOBODY: readonly RoomMember[] = []

/** Its length is the Broker interface, with one short method for each of its promises. */
export class MemoryBroker implements Broker {
  readonly #rooms = new Map<string, MemoryRoom>()
  /** Closed rooms, and the time until which they are remembered, ms by the monotonic clock. */
  readonly #closed = new Map<string, number>()
  readonly #options: MemoryBrokerOptions
  readonly #frames: FrameWriter
  /** Rooms by their other names. */
  readonly #names = new Map<string, string>()
  #listener: BrokerListener = { entry: () => {}, closed: () => {}, lost: () => {}, changed: () => {}, stalled: () => {}, remoteMembers: () => {} }
  readonly #order = new RoomOrder()

  constructor (options: MemoryBrokerOptions) {
    this.#options = options
    this.#frames = options.frames ?? new FrameWriter()
  }

  /** Number of rooms, occupied or not. */
  get size (): number { return this.#rooms.size }

  listen (listener: BrokerListener): void { this.#listener = listener }

  async createRoom (roomId: string, { ttl, ...terms }: NewRoom = {}): Promise<Lifetime | Failure> {
    if (this.#find(roomId)) return new Failure('ROOM_EXISTS')
    this.#closed.delete(roomId)
    const room = this.#add(roomId, ttl, terms)
    if (terms.reference !== undefined) this.nameRoom(terms.reference, roomId)
    this.#report('created', roomId, room, room.createdAt)
    return this.#lifetime(room)
  }

  subscribe (roomId: string, create = true): Failure | undefined {
    const room = this.#get(roomId, create)
    if (room instanceof Failure) return room
    room.subscribed = true
    return undefined
  }

  unsubscribe (roomId: string): void {
    const room = this.#find(roomId)
    if (!room?.subscribed) return
    room.subscribed = false
    this.#renew(room)
  }

  announce (roomId: string, here: readonly RoomMember[]): void {
    const room = this.#find(roomId)
    if (room) room.present = here.length
  }

  publish (roomId: string, draft: EventDraft, create: boolean): Published | Failure {
    const room = this.#get(roomId, create)
    if (room instanceof Failure) return room
    const { log } = room
    const found = log.find(draft)
    if (found === 'conflict') return new Failure('ID_CONFLICT')
    if (found) {
      const { known: { seq, timestamp, receivers }, key } = found
      return { epoch: log.epoch, seq, timestamp, receivers, duplicate: key.kind === 'event', isNew: false, changed: false }
    }
    if (room.hasExpired && draft.source === 'device') return new Failure('ROOM_CLOSED', LINK_EXPIRED)
    if (draft.ttl !== undefined) this.#setDeadline(room, draft.ttl)
    return this.#append(roomId, room, draft)
  }

  #append (roomId: string, room: MemoryRoom, draft: EventDraft): Published {
    const { log } = room
    // The sender is itself a member of the room.
    const receivers = draft.origin === undefined ? room.present : Math.max(0, room.present - 1)
    const entry = log.append(draft, receivers)
    const { state } = room.payment
    const { timestamp } = draft
    room.payment = fold(room.payment, draft)
    room.lastEventAt = timestamp
    if (room.subscribed) this.#listener.entry(roomId, entry)
    else this.#renew(room)
    const changed = room.payment.state !== state
    if (changed) this.#report('event', roomId, room, timestamp, draft.type)
    return { epoch: log.epoch, seq: entry.seq, timestamp, receivers, duplicate: false, isNew: true, changed }
  }

  #report (cause: RoomChange['cause'], roomId: string, room: MemoryRoom, timestamp: number, type?: string): void {
    const { log: { epoch, seq }, payment: { state, link } } = room
    this.#listener.changed({ cause, roomId, epoch, seq, type, timestamp, state, link })
  }

  read (roomId: string, from?: ReadFrom): RoomView | Failure {
    const room = this.#find(roomId)
    if (!room) return this.#missing(roomId)
    const { log, payment: { state, link } } = room
    const { recovered, entries } = from ? log.readAfter(from) : NOT_ASKED
    const { createdAt, expiresAt } = this.#lifetime(room)
    return { epoch: log.epoch, seq: log.seq, state, link, createdAt, expiresAt, recovered, entries, remoteMembers: NOBODY }
  }

  async listRooms (query: RoomQuery): Promise<RoomPage | Failure> {
    return listMatching(query, {
      numbered: ({ after, limit, sort }) => sort === 'newest' ? this.#order.below(after ?? Infinity, limit) : this.#order.above(after ?? 0, limit),
      summaries: (rooms) => rooms.map(({ roomId }) => this.#summary(roomId))
    })
  }

  #summary (roomId: string): RoomSummary | undefined {
    const room = this.#find(roomId)
    if (!room) return undefined
    const { log: { epoch, seq }, payment: { state, link }, lastEventAt, seenSeq, seenAt } = room
    // The mark of a pause stays until the sweep after the next event.
    const isStalled = seenAt === Infinity && seenSeq === seq
    return { roomId, epoch, seq, state, link, ...this.#lifetime(room), lastEventAt, isStalled, remoteMembers: NOBODY }
  }

  nameRoom (name: string, roomId: string): void {
    const room = this.#find(roomId)
    if (!room || this.#names.get(name) === roomId) return
    const names = room.names ?? []
    if (names.length >= MAX_NAMES) return
    this.#names.set(name, roomId)
    room.names = [...names, name]
  }

  roomNamed (name: string): string | undefined { return this.#names.get(name) }

  async closeRoom (roomId: string): Promise<void | Failure> {
    const room = this.#find(roomId)
    if (!room) return this.#missing(roomId)
    this.#report('closed', roomId, room, this.#options.now())
    this.#end(roomId, room, 'closed')
  }

  ready (): boolean { return true }

  unreadyReason (): undefined { return undefined }

  async close (): Promise<void> {
    this.#rooms.clear()
    this.#order.clear()
    this.#names.clear()
    this.#closed.clear()
  }

  async tick (): Promise<void> {
    const removed = await this.sweep()
    if (removed > 0) this.#options.onSweep?.(removed, this.size)
  }

  /**
   * Ends rooms that are due, notices stalled payments, and forgets old closed rooms. Yields every SWEPT_AT_ONCE rooms, so that events do not wait.
   * @returns number of ended rooms
   */
  async sweep (): Promise<number> {
    let removed = 0
    let looked = 0
    // A Map may be modified during iteration.
    for (const roomId of this.#rooms.keys()) {
      const room = this.#find(roomId)
      if (room) this.#noteStall(roomId, room)
      else removed++
      if (++looked % SWEPT_AT_ONCE === 0) await setImmediate()
    }
    for (const [roomId, until] of this.#closed) {
      if (until <= this.#options.monotonic()) this.#closed.delete(roomId)
      if (++looked % SWEPT_AT_ONCE === 0) await setImmediate()
    }
    return removed
  }

  /** Returns the room unless its end has passed: a lookup does what is due without waiting for the sweep. */
  #find (roomId: string): MemoryRoom | undefined {
    const room = this.#rooms.get(roomId)
    if (!room) return undefined
    if (room.deadline !== Infinity && !room.hasExpired && room.deadline <= this.#options.monotonic()) this.#expireLink(roomId, room)
    if (!this.#hasEnded(room)) return room
    this.#end(roomId, room, 'expired')
    return undefined
  }

  #expireLink (roomId: string, room: MemoryRoom): void {
    room.hasExpired = true
    this.#append(roomId, room, expiryDraft(roomId, room.expiresAt))
    this.#options.onLinkExpired?.(roomId)
  }

  /** Reports a payment without an event for the set time. Times are those of the sweeps, so that an event costs nothing. */
  #noteStall (roomId: string, room: MemoryRoom): void {
    const { stall, now, monotonic } = this.#options
    if (stall === undefined) return
    const { log: { epoch, seq }, payment: { state }, lastEventAt } = room
    if (room.seenSeq !== seq) {
      room.seenSeq = seq
      room.seenAt = monotonic()
    } else if (room.seenAt + stall <= monotonic() && awaitsPayer(state)) {
      room.seenAt = Infinity
      this.#report('stalled', roomId, room, now())
      if (room.subscribed) this.#listener.stalled(roomId, { epoch, seq, step: state.step, lastEventAt: lastEventAt! })
    }
  }

  #setDeadline (room: MemoryRoom, ttl: number): void {
    room.deadline = this.#options.monotonic() + ttl
    room.expiresAt = this.#options.now() + ttl
    room.hasExpired = false
  }

  #get (roomId: string, create: boolean): MemoryRoom | Failure {
    return this.#find(roomId) ?? (create && !this.#isClosed(roomId) ? this.#add(roomId) : this.#missing(roomId))
  }

  #missing (roomId: string): Failure { return new Failure(this.#isClosed(roomId) ? 'ROOM_CLOSED' : 'ROOM_NOT_FOUND') }

  #isClosed (roomId: string): boolean { return (this.#closed.get(roomId) ?? -Infinity) > this.#options.monotonic() }

  #add (roomId: string, ttl = Infinity, terms?: Terms): MemoryRoom {
    const { now, monotonic, newEpoch, logSize, retention, onRoom } = this.#options
    const createdAt = now()
    const begin = monotonic()
    const room: MemoryRoom = {
      number: this.#order.add(roomId),
      log: new EventLog(newEpoch(), logSize, this.#frames),
      createdAt,
      deadline: begin + ttl,
      hasExpired: false,
      payment: newPayment(createdAt, terms),
      lastEventAt: null,
      seenSeq: 0,
      seenAt: begin,
      subscribed: false,
      present: 0,
      emptyUntil: begin + retention,
      expiresAt: createdAt + (ttl === Infinity ? retention : ttl)
    }
    this.#rooms.set(roomId, room)
    onRoom?.('created', roomId)
    return room
  }

  /** Restarts the retention of an empty room. A room with a deadline keeps it. */
  #renew (room: MemoryRoom): void {
    if (room.deadline !== Infinity) return
    const { now, monotonic, retention } = this.#options
    room.emptyUntil = monotonic() + retention
    room.expiresAt = now() + retention
  }

  #lifetime ({ createdAt, deadline, expiresAt, subscribed }: MemoryRoom): Lifetime {
    const { now, retention } = this.#options
    return { createdAt, expiresAt: subscribed && deadline === Infinity ? now() + retention : expiresAt }
  }

  #hasEnded ({ deadline, emptyUntil, subscribed }: MemoryRoom): boolean {
    const end = deadline !== Infinity ? deadline + (this.#options.lateResults ?? 0) : subscribed ? Infinity : emptyUntil
    return end !== Infinity && end <= this.#options.monotonic()
  }

  #end (roomId: string, room: MemoryRoom, cause: CloseCause): void {
    const { monotonic, retention, onRoom } = this.#options
    this.#rooms.delete(roomId)
    this.#order.remove(room.number)
    for (const name of room.names ?? []) if (this.#names.get(name) === roomId) this.#names.delete(name)
    room.log.end()
    // The next caller may reopen a room that merely expired empty, but not one that was closed or had a deadline.
    if (cause === 'closed' || room.deadline !== Infinity) this.#closed.set(roomId, monotonic() + retention)
    if (room.subscribed) this.#listener.closed(roomId, cause)
    onRoom?.('removed', roomId)
  }
}
