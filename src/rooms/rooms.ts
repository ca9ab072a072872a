// The rooms of this node: who is in each, how an event reaches them, and how a newcomer catches the first live one.
import type { Broker, LogEntry, Published, ReadFrom, RoomView } from '../broker/broker.js'
import { Failure } from '../errors.js'
import { draftEvent, type ClientFrame } from '../protocol/codec.js'
import { EVENTS, type PaymentEventType, type Role } from '../protocol/events.js'
import { writesDebug, type Log } from './log.js'

/** A socket as its rooms see it. */
export interface Recipient {
  readonly clientId: string
  readonly memberships: Map<string, Member>
  send: (frame: Buffer) => void
}

/** One recipient in one room. */
export interface Member {
  readonly room: Room
  readonly recipient: Recipient
  deviceId: string
  role: Role
  /** Live entries that wait until the newcomer has its reply; undefined once it is live. */
  pending: LogEntry[] | undefined
}

interface Room {
  readonly roomId: string
  readonly members: Set<Member>
  /** Settles once the broker delivers the room's entries here; undefined from then on. */
  subscription: Promise<void | Failure> | undefined
}

export interface JoinRequest {
  readonly roomId: string
  readonly deviceId?: string | undefined
  readonly role: Role
}

export interface Broadcast {
  readonly eventType: string
  readonly message: string
  readonly idSeguro: string
}

export interface RoomsOptions {
  readonly broker: Broker
  readonly log: Log
  /** ms since the epoch. */
  readonly now: () => number
  readonly maxMembers: number
  readonly maxRoomsPerSocket: number
}

export class Rooms {
  readonly #local = new Map<string, Room>()
  readonly #options: RoomsOptions
  readonly #debug: boolean

  constructor (options: RoomsOptions) {
    this.#options = options
    this.#debug = writesDebug(options.log)
    options.broker.listen((roomId, entry) => this.#deliver(roomId, entry))
  }

  /** Rooms with a socket in them now. */
  get size (): number { return this.#local.size }

  /**
   * Takes a recipient into a room. Again for a member that is there already, only what it says of itself changes.
   * @param welcome sends the reply; it is called between the read and the first live event, with no `await` on either side
   * @param from the position after which logged events are wanted before the live ones
   */
  async join (recipient: Recipient, request: JoinRequest, welcome: (member: Member, view: RoomView) => void, from?: ReadFrom): Promise<Failure | undefined> {
    const member = this.#enter(recipient, request)
    if (member instanceof Failure) return member
    // Subscribe and buffer before reading: an event between the two would be lost.
    const live = member.pending = []
    const view = await this.#subscribed(member) ?? await this.#options.broker.read(request.roomId, from)
    if (!view || view instanceof Failure) {
      this.leave(member)
      return view ?? new Failure('UNAVAILABLE')
    }
    this.#options.log.info({ roomId: request.roomId, clientId: recipient.clientId, deviceId: member.deviceId, role: member.role }, 'client joined the room')
    welcome(member, view)
    for (const entry of view.entries) recipient.send(entry.frame)
    for (const entry of live as LogEntry[]) if (entry.seq > view.seq) recipient.send(entry.frame)
    member.pending = undefined
    return undefined
  }

  /** Takes a recipient out of a room, and the room off this node with its last one. */
  leave (member: Member): void {
    const { room } = member
    member.recipient.memberships.delete(room.roomId)
    room.members.delete(member)
    if (room.members.size > 0) return
    this.#local.delete(room.roomId)
    this.#options.broker.unsubscribe(room.roomId).catch((err: unknown) => this.#options.log.error({ err, roomId: room.roomId }, 'room could not be released'))
  }

  /** Publishes a device's event to the others in its room. A socket that never joined is taken in by its first event. */
  async publish (recipient: Recipient, frame: ClientFrame): Promise<Published | Failure> {
    const { roomId, deviceId } = frame.payload
    const type = frame.type as PaymentEventType
    const member = recipient.memberships.get(roomId) ?? this.#enter(recipient, { roomId, deviceId, role: EVENTS[type].sentBy })
    if (member instanceof Failure) return member
    const unsubscribed = member.room.subscription && await this.#subscribed(member)
    if (unsubscribed) {
      this.leave(member)
      return unsubscribed
    }
    const published = await this.#options.broker.publish(roomId, draftEvent(frame, 'device', this.#options.now(), recipient.clientId), true)
    if (published instanceof Failure) return published
    const { clientId } = recipient
    const { seq, duplicate, receivers } = published
    // A payment that gets somewhere is worth a line; every single event is not, and its fields are not built when nobody reads them.
    if (published.changed) this.#options.log.info({ roomId, clientId, deviceId: member.deviceId, seq }, EVENTS[type].sentence)
    if (this.#debug) this.#options.log.debug({ roomId, clientId, type, seq, duplicate, receivers }, 'event relayed')
    return published
  }

  /**
   * Publishes a backend's event to everyone in a room that exists.
   * @param id the event's name for de-duplication, where the backend gave one
   */
  async broadcast (roomId: string, { eventType, message, idSeguro }: Broadcast, id?: string): Promise<{ published: Published, timestamp: number } | Failure> {
    const timestamp = this.#options.now()
    const payload = { roomId, message, idSeguro, timestamp, source: 'api' }
    const draft = draftEvent({ type: eventType, payload, id }, 'api', timestamp, undefined, JSON.stringify([eventType, message, idSeguro]))
    const published = await this.#options.broker.publish(roomId, draft, false)
    if (published instanceof Failure) return published
    this.#options.log.info({ roomId, type: eventType, seq: published.seq, sentToClients: published.receivers }, 'message broadcast')
    return { published, timestamp }
  }

  #enter (recipient: Recipient, { roomId, deviceId, role }: JoinRequest): Member | Failure {
    const present = recipient.memberships.get(roomId)
    if (present) {
      if (deviceId !== undefined) present.deviceId = deviceId
      present.role = role
      return present
    }
    const { broker, maxMembers, maxRoomsPerSocket } = this.#options
    if (recipient.memberships.size >= maxRoomsPerSocket) return new Failure('TOO_MANY_ROOMS')
    let room = this.#local.get(roomId)
    if (room && room.members.size >= maxMembers) return new Failure('ROOM_FULL')
    if (!room) {
      room = { roomId, members: new Set(), subscription: broker.subscribe(roomId) }
      this.#local.set(roomId, room)
    }
    const member: Member = { room, recipient, deviceId: deviceId ?? recipient.clientId, role, pending: undefined }
    room.members.add(member)
    recipient.memberships.set(roomId, member)
    return member
  }

  async #subscribed ({ room }: Member): Promise<Failure | undefined> {
    const failure = await room.subscription
    if (failure) return failure
    room.subscription = undefined
    return undefined
  }

  #deliver (roomId: string, entry: LogEntry): number {
    const room = this.#local.get(roomId)
    if (!room) return 0
    let receivers = 0
    for (const member of room.members) {
      if (member.recipient.clientId === entry.origin) continue
      receivers++
      if (member.pending) member.pending.push(entry)
      else member.recipient.send(entry.frame)
    }
    return receivers
  }
}
