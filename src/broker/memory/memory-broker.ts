// MemoryBroker: rooms and their logs in this process's memory. The default broker, and the model for the contract suite.
import { setImmediate } from 'node:timers/promises'
import type { Clocks } from '../../clock.js'
import { Failure } from '../../errors.js'
import { awaitsPayer, fold, newPayment, type Payment, type Terms } from '../../payment/state.js'
import { expiryDraft, type EventDraft } from '../event-draft.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import { LINK_EXPIRED, type Broker, type BrokerListener, type CloseCause, type Lifetime, type NewRoom, type Published, type ReadFrom, type RoomChange, type RoomPage, type RoomQuery, type RoomSummary, type RoomView } from '../broker.js'
import { listMatching, type NumberedRoom } from '../room-listing.js'
import { FrameWriter } from '../../websocket/frame-writer.js'
import { EventLog } from './event-log.js'
import type { Recorder, RoomRecorder } from './recorder.js'
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
  /** Records the changes that must outlive the process. */
  readonly recorder?: Recorder | undefined
}

/** Rooms of an earlier process. */
export interface RestoredRooms {
  /** In the order of their numbers; the broker sets `deadline` and `emptyUntil`, and `seenAt` unless it is Infinity. */
  readonly rooms: Iterable<readonly [roomId: string, room: MemoryRoom]>
  /** Closed rooms, and the time until which they are remembered, ms since the epoch. */
  readonly closed: Iterable<readonly [roomId: string, until: number]>
  /** Highest number of a room so far. */
  readonly count: number
}

export interface MemoryRoom {
  /** Place of the room in the order of their starts; the cursor of listRooms(). */
  readonly number: number
  readonly log: EventLog
  readonly createdAt: number
  /** Deadline of the payment link, ms by the monotonic clock; Infinity if it has none. */
  deadline: number
  /** True once PAYMENT_EXPIRED is in the log. */
  hasExpired: boolean
  payment: Payment
  readonly webhookUrl: string | undefined
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
  /** Records the changes of the room; undefined if the broker records none. */
  readonly recorder: RoomRecorder | undefined
  /** True while the log of a restored room has not been read. */
  readonly isDormant?: boolean
}

/** Rooms that a sweep checks before it yields to the event loop, about 0.1 ms. */
const SWEPT_AT_ONCE = 1_000

/** Rooms that a listing reads before it yields to the event loop. */
const LISTED_AT_ONCE = 200

/** Rooms that could be checked in the time in which the content of a dormant room is read. */
const COST_OF_READING = 100

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
  #listener: BrokerListener = { entry: () => {}, closed: () => {}, lost: () => {}, changed: () => {}, advanced: () => {}, stalled: () => {}, remoteMembers: () => {} }
  readonly #order = new RoomOrder()
  #count = 0

  constructor (options: MemoryBrokerOptions) {
    this.#options = options
    this.#frames = options.frames ?? new FrameWriter()
  }

  /** Number of rooms, occupied or not. */
  get size (): number { return this.#rooms.size }

  /** All rooms by id, also those that have ended since the last sweep. */
  get rooms (): ReadonlyMap<string, MemoryRoom> { return this.#rooms }

  listen (listener: BrokerListener): void { this.#listener = listener }

  /** Takes over rooms before the first call. The retention of each starts anew: its members need time to come back. */
  restore ({ rooms, closed, count }: RestoredRooms): void {
    const { now, monotonic } = this.#options
    const toMonotonic = monotonic() - now()
    for (const [roomId, room] of rooms) {
      if (room.deadline !== Infinity) room.deadline = room.expiresAt + toMonotonic
      this.#renew(room)
      if (room.seenAt !== Infinity) room.seenAt = monotonic()
      for (const name of room.names ?? []) this.#names.set(name, roomId)
      this.#rooms.set(roomId, room)
      this.#order.add(roomId, room.number)
    }
    for (const [roomId, until] of closed) this.#closed.set(roomId, until + toMonotonic)
    this.#count = count
  }

  async createRoom (roomId: string, { ttl, webhookUrl, ...terms }: NewRoom = {}): Promise<Lifetime | Failure> {
    if (this.#find(roomId)) return new Failure('ROOM_EXISTS')
    this.#closed.delete(roomId)
    const room = this.#add(roomId, { ttl, webhookUrl }, terms)
    if (terms.reference !== undefined) this.nameRoom(terms.reference, roomId)
    this.#listener.changed(changeOf('created', { roomId, room, timestamp: room.createdAt }))
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

  // A method of its own below: a host may replace `publish` by an asynchronous one, and a batch is one step all the same.
  publish (roomId: string, draft: EventDraft, create: boolean): Published | Failure { return this.#publish(roomId, draft, create) }

  publishAll (roomId: string, drafts: readonly EventDraft[], create: boolean): Array<Published | Failure> { return drafts.map((draft) => this.#publish(roomId, draft, create)) }

  #publish (roomId: string, draft: EventDraft, create: boolean): Published | Failure {
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
    const before = room.payment
    const { timestamp } = draft
    room.payment = fold(room.payment, draft)
    room.lastEventAt = timestamp
    const { state, furthest } = room.payment
    const change = state === before.state ? undefined : changeOf('event', { roomId, room, timestamp, type: draft.type })
    room.recorder?.appended(draft, entry, { receivers, expiresAt: room.expiresAt, change })
    if (room.subscribed) this.#listener.entry(roomId, entry)
    else this.#renew(room)
    if (change) this.#listener.changed(change)
    if (furthest && furthest !== before.furthest) this.#listener.advanced({ from: before.furthest, to: furthest, state })
    return { epoch: log.epoch, seq: entry.seq, timestamp, receivers, duplicate: false, isNew: true, changed: change !== undefined }
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
      summaries: (rooms) => this.#summaries(rooms)
    })
  }

  async #summaries (rooms: readonly NumberedRoom[]): Promise<Array<RoomSummary | undefined>> {
    const summaries: Array<RoomSummary | undefined> = []
    for (const [i, { roomId }] of rooms.entries()) {
      summaries.push(this.#summary(roomId))
      // Also if each room is read from the journal, others wait for a few milliseconds at most.
      if (i % LISTED_AT_ONCE === LISTED_AT_ONCE - 1) await setImmediate()
    }
    return summaries
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
    room.recorder?.named(name)
  }

  roomNamed (name: string): string | undefined { return this.#names.get(name) }

  async closeRoom (roomId: string): Promise<void | Failure> {
    const room = this.#find(roomId)
    if (!room) return this.#missing(roomId)
    const change = changeOf('closed', { roomId, room, timestamp: this.#options.now() })
    this.#end(roomId, room, { cause: 'closed', change })
    this.#listener.changed(change)
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
    let time = this.#options.monotonic()
    // A Map may be modified during iteration.
    for (const [roomId, listed] of this.#rooms) {
      looked++
      if (!this.#isQuiet(listed, time)) {
        const room = this.#find(roomId)
        const wasDormant = room?.isDormant
        if (room) this.#noteStall(roomId, room)
        else removed++
        if (wasDormant && !room!.isDormant) looked += COST_OF_READING
      }
      if (looked >= SWEPT_AT_ONCE) {
        looked = 0
        await setImmediate()
        time = this.#options.monotonic()
      }
    }
    for (const [roomId, until] of this.#closed) {
      if (until <= this.#options.monotonic()) this.#closed.delete(roomId)
      if (++looked % SWEPT_AT_ONCE === 0) await setImmediate()
    }
    return removed
  }

  /**
   * Checks if a sweep has nothing to do for a room, as for nearly all of them. It asks no clock and looks nothing up: 100,000 rooms that are kept after their end
   * took 58 ms of CPU a second (`npm run bench -- --suite keeping`).
   * @param time ms by the monotonic clock
   */
  #isQuiet (room: MemoryRoom, time: number): boolean {
    const { deadline, hasExpired, subscribed, emptyUntil, seenSeq, seenAt, isDormant } = room
    const { lateResults = 0, stall } = this.#options
    const next = deadline === Infinity ? subscribed ? Infinity : emptyUntil : hasExpired ? deadline + lateResults : deadline
    if (next <= time) return false
    if (stall === undefined) return true
    // The content of a dormant room is not read for this.
    if (isDormant) return seenSeq === 0 || seenAt + stall > time
    return seenSeq === room.log.seq && (seenAt + stall > time || !awaitsPayer(room.payment.state))
  }

  /** Returns the room unless its end has passed: a lookup does what is due without waiting for the sweep. */
  #find (roomId: string): MemoryRoom | undefined {
    const room = this.#rooms.get(roomId)
    if (!room || this.#options.recorder?.isFull) return room
    if (room.deadline !== Infinity && !room.hasExpired && room.deadline <= this.#options.monotonic()) this.#expireLink(roomId, room)
    if (!this.#hasEnded(room)) return room
    this.#end(roomId, room, { cause: 'expired' })
    return undefined
  }

  #expireLink (roomId: string, room: MemoryRoom): void {
    room.hasExpired = true
    this.#append(roomId, room, expiryDraft(roomId, room.expiresAt))
    this.#options.onLinkExpired?.(roomId)
  }

  /** Reports a payment without an event for the set time. Times are those of the sweeps, so that an event costs nothing. */
  #noteStall (roomId: string, room: MemoryRoom): void {
    const { stall, now, monotonic, recorder } = this.#options
    // The content of a dormant room is read when its payment may have stalled, and not before.
    if (stall === undefined || recorder?.isFull || (room.isDormant && (room.seenSeq === 0 || room.seenAt + stall > monotonic()))) return
    const { log: { epoch, seq }, payment: { state }, lastEventAt } = room
    if (room.seenSeq !== seq) {
      room.seenSeq = seq
      room.seenAt = monotonic()
    } else if (room.seenAt + stall <= monotonic() && awaitsPayer(state)) {
      room.seenAt = Infinity
      const change = changeOf('stalled', { roomId, room, timestamp: now() })
      room.recorder?.stalled(change)
      this.#listener.changed(change)
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

  #add (roomId: string, { ttl = Infinity, webhookUrl }: Pick<NewRoom, 'ttl' | 'webhookUrl'> = {}, terms?: Terms): MemoryRoom {
    const { now, monotonic, newEpoch, logSize, retention, recorder, onRoom } = this.#options
    const createdAt = now()
    const begin = monotonic()
    const number = ++this.#count
    const epoch = newEpoch()
    const room: MemoryRoom = {
      number,
      log: new EventLog(epoch, logSize, this.#frames),
      createdAt,
      deadline: begin + ttl,
      hasExpired: false,
      payment: newPayment(createdAt, terms),
      webhookUrl,
      lastEventAt: null,
      seenSeq: 0,
      seenAt: begin,
      subscribed: false,
      present: 0,
      emptyUntil: begin + retention,
      expiresAt: createdAt + (ttl === Infinity ? retention : ttl),
      recorder: recorder?.started({ number, roomId, epoch, createdAt, deadline: ttl === Infinity ? undefined : createdAt + ttl, terms, webhookUrl })
    }
    this.#rooms.set(roomId, room)
    this.#order.add(roomId, number)
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

  #end (roomId: string, room: MemoryRoom, { cause, change }: { readonly cause: CloseCause, readonly change?: RoomChange }): void {
    const { now, monotonic, retention, onRoom } = this.#options
    this.#rooms.delete(roomId)
    this.#order.remove(room.number)
    for (const name of room.names ?? []) if (this.#names.get(name) === roomId) this.#names.delete(name)
    if (!room.isDormant) room.log.end()
    // The next caller may reopen a room that merely expired empty, but not one that was closed or had a deadline.
    const isRemembered = cause === 'closed' || room.deadline !== Infinity
    if (isRemembered) this.#closed.set(roomId, monotonic() + retention)
    room.recorder?.ended(roomId, isRemembered ? now() + retention : 0, change)
    if (room.subscribed) this.#listener.closed(roomId, cause)
    onRoom?.('removed', roomId)
  }
}

interface ChangedRoom { readonly roomId: string, readonly room: MemoryRoom, readonly timestamp: number, readonly type?: string | undefined }

function changeOf (cause: RoomChange['cause'], { roomId, room, timestamp, type }: ChangedRoom): RoomChange {
  const { log: { epoch, seq }, payment: { state, link }, webhookUrl } = room
  return { cause, roomId, epoch, seq, type, timestamp, state, link, ...(webhookUrl !== undefined && { webhookUrl }) }
}
