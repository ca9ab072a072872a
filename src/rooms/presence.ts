// Who is in a room, here and on other nodes, and the news of it for those who asked. A device that drops and is back within the grace time was never away.
import type { Clocks } from '../clock.js'
import { encodeFrame } from '../protocol/encode.js'
import type { Role } from '../protocol/events.js'
import type { DevicePresence, RoomMember } from '../protocol/server-frames.js'
import { GracePeriod } from './grace-period.js'
import { describe, type Member, type LocalRoom } from './room.js'

/** What a member says of itself. */
export interface MemberInfo { readonly deviceId?: string | undefined, readonly role: Role, readonly presence?: boolean | undefined }

export interface PresenceOptions extends Clocks {
  /** The rooms of this node. */
  readonly rooms: ReadonlyMap<string, LocalRoom>
  /** How long a device may be away unnoticed, ms. */
  readonly grace: number
  /** Tells the other nodes who is in a room here. */
  readonly announce: (roomId: string, here: RoomMember[], away: RoomMember[]) => void
}

export class Presence {
  readonly #options: PresenceOptions
  readonly #gracePeriod: GracePeriod

  constructor (options: PresenceOptions) {
    this.#options = options
    this.#gracePeriod = new GracePeriod({
      grace: options.grace,
      monotonic: options.monotonic,
      onLeft: (roomId, member) => {
        this.announce(roomId)
        if (!this.#isKnown(roomId, member.deviceId)) this.#tell('DEVICE_LEFT', roomId, member)
      }
    })
  }

  /**
   * Everybody in a room, with the devices that are away within their grace.
   * @param elsewhere who is in it on other nodes, where the caller knows better
   */
  members (roomId: string, elsewhere: readonly RoomMember[] = this.#options.rooms.get(roomId)?.remoteMembers ?? []): RoomMember[] {
    const present = [...this.#here(roomId), ...this.#gracePeriod.pending(roomId)]
    // One that moved here is for a moment still listed where it was.
    return [...present, ...elsewhere.filter(({ deviceId }) => !present.some((member) => member.deviceId === deviceId))]
  }

  /** A member says who it is, for the first time or again. The others hear of a device that was not there, and of one that now goes by another name. */
  announceMember (member: Member, { deviceId = member.deviceId, role, presence = member.presence }: MemberInfo): void {
    const before = describe(member)
    const { announced, room: { roomId } } = member
    member.deviceId = deviceId
    member.role = role
    member.presence = presence
    member.announced = true
    if (announced && deviceId === before.deviceId && role === before.role) return
    // Back within its grace, or there on another connection: it was never away.
    const wasAway = this.#gracePeriod.cancel(roomId, deviceId)
    this.announce(roomId)
    if (announced && deviceId === before.deviceId) return
    if (!wasAway && !this.#isKnown(roomId, deviceId, member)) this.#tell('DEVICE_JOINED', roomId, describe(member))
    if (announced && !this.#isKnown(roomId, before.deviceId)) this.#tell('DEVICE_LEFT', roomId, before)
  }

  /** A member left by its own wish, and is out of its room already. */
  left (member: Member): void {
    if (!member.announced) return
    const { roomId } = member.room
    this.announce(roomId)
    if (!this.#isKnown(roomId, member.deviceId)) this.#tell('DEVICE_LEFT', roomId, describe(member))
  }

  /** A member's connection is gone, and it is out of its room already. */
  dropped (member: Member): void {
    const { room: { roomId }, subscriber: { clientId }, deviceId } = member
    // A name that we made up never comes back, so there is nothing to wait for.
    if (deviceId === clientId || !member.announced) return this.left(member)
    // Also where another node has it: that may be old news, and the next list from there must not look like a departure.
    if (!this.#isHere(roomId, deviceId)) this.#gracePeriod.start(roomId, describe(member))
    this.announce(roomId)
  }

  /** Other nodes say who is in a room there. */
  setRemoteMembers (room: LocalRoom, members: readonly RoomMember[]): void {
    const { roomId, remoteMembers: before } = room
    room.remoteMembers = members
    for (const member of members) {
      const { deviceId } = member
      // It dropped here and came back there.
      if (this.#gracePeriod.cancel(roomId, deviceId)) this.announce(roomId)
      else if (!has(before, deviceId) && !this.#isHere(roomId, deviceId)) this.#tell('DEVICE_JOINED', roomId, member)
    }
    for (const member of before) if (!this.#isKnown(roomId, member.deviceId)) this.#tell('DEVICE_LEFT', roomId, member)
  }

  /** The room is over: nobody comes back to it. */
  forget (roomId: string): void { this.#gracePeriod.forget(roomId) }

  stop (): void { this.#gracePeriod.stop() }

  announce (roomId: string): void { this.#options.announce(roomId, this.#here(roomId), this.#gracePeriod.pending(roomId)) }

  #here (roomId: string): RoomMember[] {
    const here: RoomMember[] = []
    for (const member of this.#options.rooms.get(roomId)?.members ?? []) if (member.announced) here.push(describe(member))
    return here
  }

  #isHere (roomId: string, deviceId: string, except?: Member): boolean {
    for (const member of this.#options.rooms.get(roomId)?.members ?? []) if (member.announced && member.deviceId === deviceId && member !== except) return true
    return false
  }

  /** Whether a device is there for the others: here, away within its grace, or on another node. */
  #isKnown (roomId: string, deviceId: string, except?: Member): boolean {
    return this.#isHere(roomId, deviceId, except) || this.#gracePeriod.has(roomId, deviceId) || has(this.#options.rooms.get(roomId)?.remoteMembers ?? [], deviceId)
  }

  #tell (type: 'DEVICE_JOINED' | 'DEVICE_LEFT', roomId: string, about: RoomMember): void {
    const news: DevicePresence = { roomId, ...about, timestamp: this.#options.now() }
    let frame: string | undefined
    for (const { presence, subscriber } of this.#options.rooms.get(roomId)?.members ?? []) {
      if (presence && subscriber.clientId !== about.clientId) subscriber.sendControl(frame ??= encodeFrame(type, news))
    }
  }
}

function has (members: readonly RoomMember[], deviceId: string): boolean { return members.some((member) => member.deviceId === deviceId) }
