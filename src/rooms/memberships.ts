// Memberships of this node: the rooms with a member here, and the entry and removal of members.
import type { Claims } from '../auth/policy.js'
import type { Broker, RoomView } from '../broker/broker.js'
import { Failure } from '../errors.js'
import { mapMaybePromise, type MaybePromise } from '../maybe-promise.js'
import type { Role } from '../protocol/events.js'
import type { RoomMember } from '../protocol/server-frames.js'
import type { MemberInfo } from './presence.js'
import type { LocalRoom, Member, Subscriber } from './room.js'

export interface MembershipLimits {
  readonly maxMembers: number
  readonly maxRoomsPerSocket: number
}

export interface MembershipsOptions extends MembershipLimits {
  readonly broker: Broker
  /** True: a subscriber opens the room that it enters. */
  readonly isOpen: boolean
  /** Takes broker work that no caller awaits. */
  readonly runInBackground: (work: MaybePromise<void>, roomId: string) => void
}

/** Members on other nodes as long as none is known. */
const NOBODY: readonly RoomMember[] = []

export class Memberships {
  readonly #rooms = new Map<string, LocalRoom>()
  readonly #options: MembershipsOptions

  constructor (options: MembershipsOptions) { this.#options = options }

  /** Rooms with a member on this node, by id. */
  get rooms (): ReadonlyMap<string, LocalRoom> { return this.#rooms }

  /**
   * Adds a subscriber to a room, and subscribes to the room for its first member (`isFirst`).
   * @returns the member, which exists already if the subscriber is in the room
   */
  enter (subscriber: Subscriber, roomId: string, claims: Claims, { deviceId, role }: MemberInfo): { member: Member, isNew: boolean, isFirst: boolean } | Failure {
    const present = subscriber.memberships.get(roomId)
    if (present) return { member: present, isNew: false, isFirst: false }
    const { broker, maxMembers, maxRoomsPerSocket, isOpen } = this.#options
    if (subscriber.memberships.size >= maxRoomsPerSocket) return new Failure('TOO_MANY_ROOMS')
    let room = this.#rooms.get(roomId)
    if (room && room.members.length >= seatsFor(role, maxMembers)) return new Failure('ROOM_FULL')
    const isFirst = !room
    if (!room) {
      room = { roomId, members: [], remoteMembers: NOBODY, subscription: broker.subscribeAndRead ? broker.subscribeAndRead(roomId, isOpen) : broker.subscribe(roomId, isOpen) }
      this.#rooms.set(roomId, room)
    }
    const member: Member = {
      room,
      subscriber,
      claims,
      deviceId: deviceId ?? subscriber.clientId,
      role,
      announced: false,
      presence: false,
      stalls: false,
      deliveredSeq: 0,
      buffered: undefined
    }
    room.members = room.members.concat(member)
    subscriber.memberships.add(member)
    return { member, isNew: true, isFirst }
  }

  /**
   * Waits until the broker delivers the room's entries to this node.
   * @returns the failure of the subscription, or the room as it was at its start if that was read with it: the first member, which was there before, misses nothing after that
   */
  subscribed ({ room }: Member): MaybePromise<RoomView | Failure | undefined> {
    return mapMaybePromise(room.subscription, (result) => {
      if (!(result instanceof Failure)) room.subscription = undefined
      return result ?? undefined
    })
  }

  /** Removes a member, and with its last member the room, from this node. */
  remove (member: Member): void {
    const { room } = member
    member.subscriber.memberships.delete(room.roomId)
    room.members = room.members.filter((other) => other !== member)
    if (room.members.length > 0 || this.#rooms.get(room.roomId) !== room) return
    this.#rooms.delete(room.roomId)
    this.#options.runInBackground(this.#options.broker.unsubscribe(room.roomId), room.roomId)
  }

  /** Removes a room that has ended. @returns its former members */
  end (roomId: string): readonly Member[] {
    const room = this.#rooms.get(roomId)
    if (!room) return []
    this.#rooms.delete(roomId)
    for (const { subscriber } of room.members) subscriber.memberships.delete(roomId)
    return room.members
  }
}

/** Number of members up to which a device may enter: payers never take the last fifth of a room, so that the shop always gets in. */
function seatsFor (role: Role, maxMembers: number): number { return role === 'device1' ? maxMembers : maxMembers - Math.floor(maxMembers / 5) }
