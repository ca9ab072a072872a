// Rooms of this node: joins that miss no event between replay and live delivery, publishing, and the end of a room.
import { mapMaybePromise, type MaybePromise } from '../maybe-promise.js'
import { ANONYMOUS, isAllowed, type Claims, type PolicySettings } from '../auth/policy.js'
import type { Advance, Broker, Published, ReadFrom, RoomChange, RoomView } from '../broker/broker.js'
import type { Clocks } from '../clock.js'
import { Failure } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { isVerifiedFact, type Terms } from '../payment/state.js'
import { EVENTS, type DevicePaymentEvent, type Role } from '../protocol/events.js'
import type { RoomMember } from '../protocol/server-frames.js'
import { catchUp, flushBuffered } from './catch-up.js'
import { Delivery } from './delivery.js'
import type { Log } from './log.js'
import { refusalOfPayer, type Payer } from './payers.js'
import { Memberships, type MembershipLimits } from './memberships.js'
import { Presence, type MemberInfo } from './presence.js'
import { Publisher, type Broadcast, type PaymentEvent } from './publisher.js'
import type { Member, Subscriber } from './room.js'

export interface JoinRequest {
  readonly roomId: string
  readonly deviceId?: string | undefined
  /** Defaults to the role in the claims, then to `device1`. */
  readonly role?: Role | undefined
  readonly presence?: boolean | undefined
  readonly stalls?: boolean | undefined
  /** Claims of the subscriber. */
  readonly claims: Claims
  /** Position to catch up from: the logged events after it are sent before the live ones. */
  readonly recover?: ReadFrom | undefined
}

export interface RoomsOptions extends PolicySettings, MembershipLimits, Clocks {
  readonly broker: Broker
  readonly metrics: Metrics
  readonly log: Log
  /** True: every subscriber may join, and joining opens a room. False: a subscriber must join with its claims, and the room must exist. */
  readonly isOpen: boolean
  /** Called once for each change of a room, on one of all nodes. */
  readonly onChange?: ((change: RoomChange) => void) | undefined
  /** Called once for each milestone of a payment, on one of all nodes. */
  readonly onAdvance?: ((advance: Advance) => void) | undefined
  /** Maximum number of payers in a room; 0: no limit. */
  readonly maxPayers: number
  /** Grace period of a dropped device, ms. */
  readonly presenceGrace: number
}

/** Sends the reply to a join. */
type OnJoined = (member: Member, view: RoomView) => void

/**
 * The one way into a room. Its length is its interface: sessions, routes and the broker each need only a part of it, and none may pass it by.
 * The parts are in memberships.ts, delivery.ts, presence.ts, publisher.ts and catch-up.ts.
 */
export class Rooms {
  readonly #options: RoomsOptions
  readonly #memberships: Memberships
  readonly #presence: Presence
  readonly #publisher: Publisher

  constructor (options: RoomsOptions) {
    this.#options = options
    this.#publisher = new Publisher(options)
    const { broker, now, monotonic, log, maxMembers, maxRoomsPerSocket, isOpen, presenceGrace: grace } = options
    const runInBackground = (work: MaybePromise<void>, roomId: string) => this.#runInBackground(work, roomId)
    const memberships = this.#memberships = new Memberships({ broker, maxMembers, maxRoomsPerSocket, isOpen, runInBackground })
    const { rooms } = memberships
    const presence = this.#presence = new Presence({
      rooms, now, monotonic, grace, announce: (roomId, here, away) => runInBackground(broker.announce(roomId, here, away), roomId)
    })
    const delivery = new Delivery({ memberships, log, now })
    broker.listen({
      entry: (roomId, entry) => delivery.entry(roomId, entry),
      closed: (roomId, cause) => {
        presence.forget(roomId)
        delivery.closed(roomId, cause)
      },
      lost: (roomId) => delivery.lost(roomId),
      changed: (change) => options.onChange?.(change),
      advanced: (advance) => options.onAdvance?.(advance),
      stalled: (roomId, stall) => delivery.stalled(roomId, stall),
      remoteMembers: (roomId, members) => {
        const room = rooms.get(roomId)
        if (room) presence.setRemoteMembers(room, members)
      }
    })
  }

  /** Number of rooms with a member on this node. */
  get size (): number { return this.#memberships.rooms.size }

  /**
   * Members of a room on all nodes, including devices in their grace period.
   * @param elsewhere members on other nodes, if the caller has just read the room
   */
  members (roomId: string, elsewhere?: readonly RoomMember[]): RoomMember[] { return this.#presence.members(roomId, elsewhere) }

  /**
   * Adds a subscriber to a room. For an existing member, updates its device, role, settings and claims, and replays the log if asked.
   * @param welcome sends the reply; called between the read and the first event, with no `await` on either side
   */
  join (subscriber: Subscriber, request: JoinRequest, welcome: OnJoined): MaybePromise<Failure | undefined> {
    const { roomId, recover, claims, role, deviceId } = request
    // Check before any lookup: a refusal must not reveal if the room exists.
    if (!isAllowed(claims, { to: 'join', roomId, role, deviceId }, this.#options)) return new Failure('FORBIDDEN')
    const introduction = memberInfoFrom(request)
    const entered = this.#memberships.enter(subscriber, roomId, claims, introduction)
    if (entered instanceof Failure) return entered
    const { member, isNew, isFirst } = entered
    // Subscribe and buffer before reading: an event between the two would be lost.
    member.buffered = []
    const view = mapMaybePromise(this.#memberships.subscribed(member), (room) => {
      if (room instanceof Failure) return room
      return isFirst && !recover && room ? room : this.#options.broker.read(roomId, recover)
    })
    return mapMaybePromise(view, (view) => this.#completeJoin(member, isNew, request, introduction, view, welcome))
  }

  /** Removes a subscriber from one room at its own request. */
  leave (subscriber: Subscriber, roomId: string): Failure | undefined {
    const member = subscriber.memberships.get(roomId)
    if (!member) return new Failure('NOT_JOINED')
    this.#memberships.remove(member)
    this.#presence.left(member)
    return undefined
  }

  /** Removes a subscriber whose connection is gone from all its rooms. */
  drop (subscriber: Subscriber): void {
    for (const member of subscriber.memberships.values()) {
      this.#memberships.remove(member)
      this.#presence.dropped(member)
    }
  }

  /**
   * Publishes a device's event to the other members of its room. On an open server, the first event of a subscriber that never joined also joins it.
   * @param timestamp time of its arrival, ms since the epoch
   */
  publish (subscriber: Subscriber, event: PaymentEvent, timestamp: number): MaybePromise<Published | Failure> {
    const { type, payload: { roomId, deviceId } } = event
    const member = subscriber.memberships.get(roomId)
    if (!member && !this.#options.isOpen) return new Failure('NOT_JOINED')
    if (!isAllowed(member?.claims ?? ANONYMOUS, { to: 'publish', roomId, type, deviceId }, this.#options)) return new Failure('FORBIDDEN')
    return member ? this.#publishAs(member, event, timestamp) : this.#publishFirst(subscriber, event, timestamp)
  }

  /**
   * Publishes a payment event received over REST to all members of its room. Opens a missing room if the event comes from a backend or the server is open.
   * @param idempotencyKey makes repeated requests one event, even if the event has no `id`
   */
  async publishFromApi (event: PaymentEvent, claims: Claims, idempotencyKey?: string): Promise<Published | Failure> {
    const { type, payload: { roomId, deviceId } } = event
    const { principal } = claims
    if (!isAllowed(claims, { to: 'publish', roomId, type, deviceId }, this.#options)) return new Failure('FORBIDDEN')
    // Without a backend's claims the event counts as a device's claim, no matter who sent it. `source: "api"` on a result therefore means that the result is verified.
    const verified = principal === 'backend'
    const taken = verified ? undefined : await this.#refusalOfSender(roomId, [deviceId])
    if (taken) return taken
    return this.#publisher.publishEvent(roomId, event, { source: verified ? 'api' : 'device', verified, idempotencyKey, timestamp: this.#options.now() }, verified || this.#options.isOpen, { principal })
  }

  /**
   * Publishes events received over REST in their order and in one step, for a page that has no time for more than one request. Opens a missing room like
   * publishFromApi. A backend's facts are refused: each depends on the payment before it.
   * @param events failures stand for events that were invalid; none of them holds up another event
   * @returns the outcome of each
   */
  async publishAllFromApi (roomId: string, events: ReadonlyArray<PaymentEvent | Failure>, claims: Claims): Promise<Array<Published | Failure>> {
    const { principal } = claims
    const verified = principal === 'backend'
    const checked = events.map((event) => {
      if (event instanceof Failure) return event
      const { type, payload: { deviceId } } = event
      if (!isAllowed(claims, { to: 'publish', roomId, type, deviceId }, this.#options)) return new Failure('FORBIDDEN')
      return isVerifiedFact({ type, verified }) ? new Failure('FORBIDDEN', 'A result of a backend is published by itself.') : event
    })
    const accepted = checked.filter((event): event is PaymentEvent => !(event instanceof Failure))
    const taken = principal === 'backend' ? undefined : await this.#refusalOfSender(roomId, accepted.map(({ payload: { deviceId } }) => deviceId))
    if (taken) return checked.map((event) => event instanceof Failure ? event : taken)
    const said = { source: verified ? 'api' : 'device', verified, timestamp: this.#options.now() } as const
    const outcomes = (await this.#publisher.publishAll(roomId, accepted, said, verified || this.#options.isOpen, { principal })).values()
    return checked.map((event) => event instanceof Failure ? event : outcomes.next().value!)
  }

  /** Publishes a backend's message to all members of an existing room. */
  broadcast (roomId: string, message: Broadcast, idempotencyKey?: string): Promise<Published | Failure> {
    return this.#publisher.broadcast(roomId, message, idempotencyKey)
  }

  /**
   * Changes the payment link of an existing room, and tells its members.
   * @param ttl time from now until the new deadline, ms; undefined keeps the deadline
   */
  async updateLink (roomId: string, terms: Terms, ttl?: number): Promise<Published | Failure> {
    const timestamp = this.#options.now()
    const payload = { roomId, ...terms, ...(ttl !== undefined && { expiresAt: timestamp + ttl }) }
    const event = { type: 'LINK_UPDATED', payload } as const
    const updated = await this.#publisher.publishEvent(roomId, event, { source: 'server', verified: true, timestamp, ttl }, false, { principal: 'backend' })
    // A new reference finds the room, as that of createRoom does.
    if (!(updated instanceof Failure) && terms.reference !== undefined) await this.#options.broker.nameRoom(terms.reference, roomId)
    return updated
  }

  /** Closes a room for all its members. */
  async close (roomId: string): Promise<void | Failure> {
    const failure = await this.#options.broker.closeRoom(roomId)
    // Devices in their grace period must not count as returning to a later room of the same name.
    if (!failure) this.#presence.forget(roomId)
    return failure
  }

  stop (): void { this.#presence.stop() }

  /** Joins a subscriber that only sends: it gets no reply and is live at once. */
  #joinImplicitly (subscriber: Subscriber, roomId: string, introduction: MemberInfo): MaybePromise<Member | Failure> {
    const entered = this.#memberships.enter(subscriber, roomId, ANONYMOUS, introduction)
    if (entered instanceof Failure) return entered
    const { member } = entered
    const { maxPayers, broker } = this.#options
    const isLimited = maxPayers > 0 && introduction.role === 'device2'
    const refusal = mapMaybePromise(this.#memberships.subscribed(member), (room) => {
      if (room instanceof Failure) return room
      if (!isLimited) return undefined
      // The members on other nodes are known from a read.
      const payer = { ...introduction, clientId: subscriber.clientId }
      return mapMaybePromise(room ?? broker.read(roomId), (view) => view instanceof Failure ? view : this.#refusalOfPayer(roomId, payer, view))
    })
    return mapMaybePromise(refusal, (failure) => {
      if (failure) {
        this.#memberships.remove(member)
        return failure
      }
      this.#presence.announceMember(member, introduction)
      return member
    })
  }

  #refusalOfPayer (roomId: string, payer: Payer, view?: RoomView): Failure | undefined {
    const { maxPayers } = this.#options
    // Without a limit no event looks at the members.
    return maxPayers === 0 ? undefined : refusalOfPayer(maxPayers, payer, this.#presence.members(roomId, view?.remoteMembers))
  }

  /** Refuses a device that publishes over REST in the place of the payers. */
  async #refusalOfSender (roomId: string, deviceIds: ReadonlyArray<string | undefined>): Promise<Failure | undefined> {
    if (this.#options.maxPayers === 0) return undefined
    const view = await this.#options.broker.read(roomId)
    // Publishing says why there is no room, or opens it.
    if (view instanceof Failure) return undefined
    for (const deviceId of deviceIds) {
      const refusal = this.#refusalOfPayer(roomId, { deviceId }, view)
      if (refusal) return refusal
    }
    return undefined
  }

  #publishFirst (subscriber: Subscriber, event: PaymentEvent, timestamp: number): MaybePromise<Published | Failure> {
    const { type, payload: { roomId, deviceId } } = event
    const joined = this.#joinImplicitly(subscriber, roomId, { deviceId, role: EVENTS[type as DevicePaymentEvent].sentBy })
    return mapMaybePromise(joined, (member) => member instanceof Failure ? member : this.#publishAs(member, event, timestamp))
  }

  #publishAs ({ room: { roomId }, subscriber: { clientId }, deviceId, role }: Member, event: PaymentEvent, timestamp: number): MaybePromise<Published | Failure> {
    // A payer was admitted with its role; another device may send a payer's events only where there is none.
    const taken = role === 'device2' ? undefined : this.#refusalOfPayer(roomId, { deviceId, clientId })
    if (taken) return taken
    // Use the room's own string for `roomId`: each lookup with the equal string of the event would compare the two character by character.
    return this.#publisher.publishEvent(roomId, event, { source: 'device', origin: clientId, timestamp }, true, { clientId, deviceId })
  }

  /** Second half of join(): runs when the broker's read has returned. */
  #completeJoin (
    member: Member, isNew: boolean, { recover, claims, stalls = member.stalls }: JoinRequest, introduction: MemberInfo, view: RoomView | Failure, welcome: OnJoined
  ): MaybePromise<Failure | undefined> {
    const { subscriber, room: { roomId } } = member
    // The room ended, or the subscriber was closed as too slow, during the read. The subscriber has already been notified.
    if (subscriber.memberships.get(roomId) !== member) return undefined
    if (view instanceof Failure) {
      if (isNew) this.#memberships.remove(member)
      else flushBuffered(member)
      return view
    }
    const taken = introduction.role === 'device2' ? this.#refusalOfPayer(roomId, { deviceId: introduction.deviceId ?? member.deviceId, clientId: subscriber.clientId }, view) : undefined
    if (taken) {
      if (isNew) this.#memberships.remove(member)
      else flushBuffered(member)
      return taken
    }
    // A member that re-joins without `recover` keeps its old position: events buffered since then are still to be delivered.
    if (isNew || recover) member.deliveredSeq = view.seq
    if (recover) this.#options.metrics.recoveries.inc({ outcome: view.recovered ? 'recovered' : 'lost' })
    member.claims = claims
    member.stalls = stalls
    this.#presence.announceMember(member, introduction)
    this.#options.log.info({ roomId, clientId: subscriber.clientId, deviceId: member.deviceId, role: member.role }, EVENTS.JOIN_ROOM.sentence)
    welcome(member, view)
    if (view.entries.length > 0 || member.buffered!.length > 0) return catchUp(member, view.entries)
    member.buffered = undefined
    return undefined
  }

  /** Runs broker work in the background. The broker returns expected failures as values, so a rejection is a bug. */
  #runInBackground (work: MaybePromise<void>, roomId: string): void {
    if (work instanceof Promise) work.catch((err: unknown) => this.#options.log.error({ err, roomId }, 'room update failed'))
  }
}

/** Device and role as the request says, or else as the token says. */
function memberInfoFrom ({ claims, deviceId, role, presence }: JoinRequest): MemberInfo {
  const shown = 'roomId' in claims ? claims : undefined
  return { deviceId: deviceId ?? shown?.deviceId, role: role ?? shown?.principal ?? 'device1', presence }
}
