// The rooms of this node: who is in each, how an event reaches them, and how a newcomer catches the first live one.
import { mapMaybePromise, type MaybePromise } from '../maybe-promise.js'
import { ANONYMOUS, isAllowed, type Claims, type PolicySettings } from '../auth/policy.js'
import type { Broker, CloseCause, LogEntry, Published, ReadFrom, RoomView } from '../broker/broker.js'
import type { Clocks } from '../clock.js'
import { CLOSE, Failure } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { encodeFrame } from '../protocol/encode.js'
import { EVENTS, type Role } from '../protocol/events.js'
import type { RoomClosed, RoomMember } from '../protocol/server-frames.js'
import type { Log } from './log.js'
import { Presence, type MemberInfo } from './presence.js'
import { Publisher, type Broadcast, type PaymentEvent } from './publisher.js'
import type { Member, Subscriber, LocalRoom } from './room.js'

/** Live entries that may wait for one newcomer's reply. */
export const MAX_PENDING = 1000

export interface JoinRequest {
  readonly roomId: string
  readonly deviceId?: string | undefined
  /** `device1` where neither the request nor its claims say one. */
  readonly role?: Role | undefined
  readonly presence?: boolean | undefined
  /** What the subscriber has shown. */
  readonly claims: Claims
  /** The position after which logged events are wanted before the live ones. */
  readonly recover?: ReadFrom | undefined
}

export interface RoomsOptions extends PolicySettings, Clocks {
  readonly broker: Broker
  readonly metrics: Metrics
  readonly log: Log
  readonly maxMembers: number
  readonly maxRoomsPerSocket: number
  /** Anybody may join, and opens a room by joining. Otherwise a subscriber must join with what it has shown, and the room must be there. */
  readonly isOpen: boolean
  /** How long a device may be away unnoticed, ms. */
  readonly presenceGrace: number
}

/** Sends the reply to a join. */
type OnJoined = (member: Member, view: RoomView) => void

export class Rooms {
  readonly #local = new Map<string, LocalRoom>()
  readonly #options: RoomsOptions
  readonly #presence: Presence
  readonly #publisher: Publisher

  constructor (options: RoomsOptions) {
    this.#options = options
    this.#publisher = new Publisher(options)
    const { broker, now, monotonic, presenceGrace: grace } = options
    this.#presence = new Presence({
      rooms: this.#local, now, monotonic, grace, announce: (roomId, here, away) => this.#runInBackground(broker.announce(roomId, here, away), roomId)
    })
    broker.listen({
      entry: (roomId, entry) => this.#deliver(roomId, entry),
      closed: (roomId, cause) => this.#closed(roomId, cause),
      lost: (roomId) => this.#lost(roomId),
      remoteMembers: (roomId, members) => {
        const room = this.#local.get(roomId)
        if (room) this.#presence.setRemoteMembers(room, members)
      }
    })
  }

  /** Rooms with a client in them now. */
  get size (): number { return this.#local.size }

  /**
   * Everybody in a room, with the devices that are away within their grace.
   * @param elsewhere who is in it on other nodes, where the room was just read
   */
  members (roomId: string, elsewhere?: readonly RoomMember[]): RoomMember[] { return this.#presence.members(roomId, elsewhere) }

  /**
   * Takes a subscriber into a room. Again for a member that is there already, only what it says of itself changes.
   * @param welcome sends the reply; it is called between the read and the first event, with no `await` on either side
   */
  join (subscriber: Subscriber, request: JoinRequest, welcome: OnJoined): MaybePromise<Failure | undefined> {
    const { roomId, recover, claims, role, deviceId } = request
    // Before anything is looked up: a stranger is not told whether there is such a room.
    if (!isAllowed(claims, { to: 'join', roomId, role, deviceId }, this.#options)) return new Failure('FORBIDDEN')
    const introduction = memberInfoFrom(request)
    const entered = this.#enter(subscriber, roomId, claims, introduction)
    if (entered instanceof Failure) return entered
    const { member, isNew } = entered
    // Subscribe and buffer before reading: an event between the two would be lost.
    member.buffered = []
    const view = mapMaybePromise(this.#subscribed(member), (failure) => failure ?? this.#options.broker.read(roomId, recover))
    return mapMaybePromise(view, (view) => this.#completeJoin(member, isNew, request, introduction, view, welcome))
  }

  /** Takes a subscriber out of one room, by its own wish. */
  leave (subscriber: Subscriber, roomId: string): Failure | undefined {
    const member = subscriber.memberships.get(roomId)
    if (!member) return new Failure('NOT_JOINED')
    this.#remove(member)
    this.#presence.left(member)
    return undefined
  }

  /** A subscriber's connection is gone: it leaves all its rooms. */
  drop (subscriber: Subscriber): void {
    for (const member of subscriber.memberships.values()) {
      this.#remove(member)
      this.#presence.dropped(member)
    }
  }

  /** Publishes a device's event to the others in its room. On an open server a socket that never joined is taken in by its first event. */
  publish (subscriber: Subscriber, event: PaymentEvent): MaybePromise<Published | Failure> {
    const { type, payload: { roomId, deviceId } } = event
    const member = subscriber.memberships.get(roomId)
    if (!member && !this.#options.isOpen) return new Failure('NOT_JOINED')
    if (!isAllowed(member?.claims ?? ANONYMOUS, { to: 'publish', roomId, type, deviceId }, this.#options)) return new Failure('FORBIDDEN')
    return member ? this.#publishAs(member, event) : this.#publishFirst(subscriber, event)
  }

  /**
   * Publishes a payment event that came over REST to everyone in its room. It opens a room that is not there where it comes from a backend, or where anybody may.
   * @param idempotencyKey makes a repeated request one event, where it has no `id`
   */
  async publishFromApi (event: PaymentEvent, claims: Claims, idempotencyKey?: string): Promise<Published | Failure> {
    const { type, payload: { roomId, deviceId } } = event
    const { principal } = claims
    if (!isAllowed(claims, { to: 'publish', roomId, type, deviceId }, this.#options)) return new Failure('FORBIDDEN')
    // Without a proof it is a device's word, whoever sent it: so `source: "api"` on a result means that it is verified.
    const verified = principal === 'backend'
    return this.#publisher.publishEvent(roomId, event, { source: verified ? 'api' : 'device', verified, idempotencyKey, timestamp: this.#options.now() }, verified || this.#options.isOpen, { principal })
  }

  /** Publishes a backend's message to everyone in a room that exists. */
  broadcast (roomId: string, message: Broadcast, idempotencyKey?: string): Promise<Published | Failure> {
    return this.#publisher.broadcast(roomId, message, idempotencyKey)
  }

  /** Ends a room for everyone in it. */
  async close (roomId: string): Promise<void | Failure> {
    const failure = await this.#options.broker.closeRoom(roomId)
    // Whoever was away within their grace does not come back to a room of the same name.
    if (!failure) this.#presence.forget(roomId)
    return failure
  }

  stop (): void { this.#presence.stop() }

  #enter (subscriber: Subscriber, roomId: string, claims: Claims, { deviceId, role }: MemberInfo): { member: Member, isNew: boolean } | Failure {
    const present = subscriber.memberships.get(roomId)
    if (present) return { member: present, isNew: false }
    const { broker, maxMembers, maxRoomsPerSocket, isOpen } = this.#options
    if (subscriber.memberships.size >= maxRoomsPerSocket) return new Failure('TOO_MANY_ROOMS')
    let room = this.#local.get(roomId)
    if (room && room.members.size >= maxMembers) return new Failure('ROOM_FULL')
    if (!room) {
      room = { roomId, members: new Set(), remoteMembers: [], subscription: broker.subscribe(roomId, isOpen) }
      this.#local.set(roomId, room)
    }
    const member: Member = { room, subscriber, claims, deviceId: deviceId ?? subscriber.clientId, role, announced: false, presence: false, deliveredSeq: 0, buffered: undefined }
    room.members.add(member)
    subscriber.memberships.set(roomId, member)
    return { member, isNew: true }
  }

  /** Takes in a subscriber that only sends: it gets no reply, and is live at once. */
  #joinImplicitly (subscriber: Subscriber, roomId: string, introduction: MemberInfo): MaybePromise<Member | Failure> {
    const entered = this.#enter(subscriber, roomId, ANONYMOUS, introduction)
    if (entered instanceof Failure) return entered
    const { member } = entered
    return mapMaybePromise(this.#subscribed(member), (failure) => {
      if (failure) {
        this.#remove(member)
        return failure
      }
      this.#presence.announceMember(member, introduction)
      return member
    })
  }

  #publishFirst (subscriber: Subscriber, event: PaymentEvent): MaybePromise<Published | Failure> {
    const { type, payload: { roomId, deviceId } } = event
    const joined = this.#joinImplicitly(subscriber, roomId, { deviceId, role: EVENTS[type].sentBy })
    return mapMaybePromise(joined, (member) => member instanceof Failure ? member : this.#publishAs(member, event))
  }

  #publishAs ({ room: { roomId }, subscriber: { clientId }, deviceId }: Member, event: PaymentEvent): MaybePromise<Published | Failure> {
    // By the room's own name: the same text from the event would be compared, letter by letter, wherever the room is looked up.
    return this.#publisher.publishEvent(roomId, event, { source: 'device', origin: clientId, timestamp: this.#options.now() }, true, { clientId, deviceId })
  }

  /** What comes of a join once the room was read. */
  #completeJoin (
    member: Member, isNew: boolean, { recover, claims }: JoinRequest, introduction: MemberInfo, view: RoomView | Failure, welcome: OnJoined
  ): MaybePromise<Failure | undefined> {
    const { subscriber, room: { roomId } } = member
    // The room ended, or the subscriber was too slow for it, while we waited: it was told so then.
    if (subscriber.memberships.get(roomId) !== member) return undefined
    if (view instanceof Failure) {
      if (isNew) this.#remove(member)
      else this.#flushBuffered(member)
      return view
    }
    // One that was live before, and does not ask to catch up, has not been told what came in since it asked.
    if (isNew || recover) member.deliveredSeq = view.seq
    if (recover) this.#options.metrics.recoveries.inc({ outcome: view.recovered ? 'recovered' : 'lost' })
    member.claims = claims
    this.#presence.announceMember(member, introduction)
    this.#options.log.info({ roomId, clientId: subscriber.clientId, deviceId: member.deviceId, role: member.role }, EVENTS.JOIN_ROOM.sentence)
    welcome(member, view)
    if (view.entries.length > 0 || member.buffered!.length > 0) return this.#catchUp(member, view.entries)
    member.buffered = undefined
    return undefined
  }

  /** Tells a newcomer what there was, and then what came in meanwhile. */
  async #catchUp (member: Member, entries: readonly LogEntry[]): Promise<undefined> {
    const { subscriber, buffered: live = [] } = member
    for (const entry of entries) {
      const pace = subscriber.sendPaced(entry)
      if (pace) await pace
    }
    for (let entry = live.shift(); entry; entry = live.shift()) {
      const pace = entry.seq > member.deliveredSeq ? subscriber.sendPaced(entry) : undefined
      if (pace) await pace
    }
    member.buffered = undefined
    return undefined
  }

  /** A member whose second join failed goes on where it was, with what came in meanwhile. */
  #flushBuffered (member: Member): void {
    for (const entry of member.buffered ?? []) member.subscriber.send(entry)
    member.buffered = undefined
  }

  #subscribed ({ room }: Member): MaybePromise<Failure | undefined> {
    return mapMaybePromise(room.subscription, (failure) => {
      if (failure) return failure
      room.subscription = undefined
      return undefined
    })
  }

  #deliver (roomId: string, entry: LogEntry): void {
    for (const { subscriber, buffered, deliveredSeq } of this.#local.get(roomId)?.members ?? []) {
      if (subscriber.clientId === entry.origin || entry.seq <= deliveredSeq) continue
      if (!buffered) subscriber.send(entry)
      else if (buffered.length < MAX_PENDING) buffered.push(entry)
      // Not all of it can be kept. Saying so is the promise; the client joins again with `recover`.
      else subscriber.close(CLOSE.POSITION_LOST)
    }
  }

  /** The room goes off this node with its last member. */
  #remove (member: Member): void {
    const { room } = member
    member.subscriber.memberships.delete(room.roomId)
    room.members.delete(member)
    if (room.members.size > 0 || this.#local.get(room.roomId) !== room) return
    this.#local.delete(room.roomId)
    this.#runInBackground(this.#options.broker.unsubscribe(room.roomId), room.roomId)
  }

  /** Lets the broker work by itself; what it cannot do it says in its answers, so a rejection is a bug. */
  #runInBackground (work: MaybePromise<void>, roomId: string): void {
    if (work instanceof Promise) work.catch((err: unknown) => this.#options.log.error({ err, roomId }, 'room could not be kept up to date'))
  }

  /** Entries may be missing: whoever is in the room joins again, and is then told what there is. */
  #lost (roomId: string): void {
    const members = [...this.#local.get(roomId)?.members ?? []]
    if (members.length > 0) this.#options.log.warn({ roomId, clients: members.length }, 'position lost, clients told to join again')
    for (const { subscriber } of members) subscriber.close(CLOSE.POSITION_LOST)
  }

  #closed (roomId: string, reason: CloseCause): void {
    this.#presence.forget(roomId)
    const room = this.#local.get(roomId)
    if (!room) return
    this.#local.delete(roomId)
    const closed: RoomClosed = { roomId, reason, timestamp: this.#options.now() }
    const frame = encodeFrame('ROOM_CLOSED', closed)
    for (const { subscriber } of room.members) {
      subscriber.memberships.delete(roomId)
      subscriber.sendControl(frame)
    }
  }
}

/** Who a newcomer is: as it says, or else as its token says. */
function memberInfoFrom ({ claims, deviceId, role, presence }: JoinRequest): MemberInfo {
  const shown = 'roomId' in claims ? claims : undefined
  return { deviceId: deviceId ?? shown?.deviceId, role: role ?? shown?.principal ?? 'device1', presence }
}
