// Who is in a room, here and on other nodes, and the news of it for those who asked. A device that drops and is back within the grace time was never away.
import type { Clocks } from '../clock.js'
import { encodeFrame } from '../protocol/codec.js'
import type { Role } from '../protocol/events.js'
import type { DevicePresence, RoomMember } from '../protocol/server-frames.js'
import { Departures } from './grace-period.js'
import { describe, type Member, type Room } from './room.js'

/** What a member says of itself. */
export interface Introduction { readonly deviceId?: string | undefined, readonly role: Role, readonly presence?: boolean | undefined }

export interface PresenceOptions extends Clocks {
  /** The rooms of this node. */
  readonly rooms: ReadonlyMap<string, Room>
  /** How long a device may be away unnoticed, ms. */
  readonly grace: number
  /** Tells the other nodes who is in a room here. */
  readonly announce: (roomId: string, here: RoomMember[], away: RoomMember[]) => void
}

export class Presence {
  readonly #options: PresenceOptions
  readonly #departures: Departures

  constructor (options: PresenceOptions) {
    this.#options = options
    this.#departures = new Departures({
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
  members (roomId: string, elsewhere: readonly RoomMember[] = this.#options.rooms.get(roomId)?.elsewhere ?? []): RoomMember[] {
    const present = [...this.#here(roomId), ...this.#departures.away(roomId)]
    // One that moved here is for a moment still listed where it was.
    return [...present, ...elsewhere.filter(({ deviceId }) => !present.some((member) => member.deviceId === deviceId))]
  }

  /** A member says who it is, for the first time or again. The others hear of a device that was not there, and of one that now goes by another name. */
  introduce (member: Member, { deviceId = member.deviceId, role, presence = member.presence }: Introduction): void {
    const before = describe(member)
    const { introduced, room: { roomId } } = member
    member.deviceId = deviceId
    member.role = role
    member.presence = presence
    member.introduced = true
    if (introduced && deviceId === before.deviceId && role === before.role) return
    // Back within its grace, or there on another connection: it was never away.
    const wasAway = this.#departures.returned(roomId, deviceId)
    this.announce(roomId)
    if (introduced && deviceId === before.deviceId) return
    if (!wasAway && !this.#isKnown(roomId, deviceId, member)) this.#tell('DEVICE_JOINED', roomId, describe(member))
    if (introduced && !this.#isKnown(roomId, before.deviceId)) this.#tell('DEVICE_LEFT', roomId, before)
  }

  /** A member left by its own wish, and is out of its room already. */
  left (member: Member): void {
    if (!member.introduced) return
    const { roomId } = member.room
    this.announce(roomId)
    if (!this.#isKnown(roomId, member.deviceId)) this.#tell('DEVICE_LEFT', roomId, describe(member))
  }

  /** A member's connection is gone, and it is out of its room already. */
  dropped (member: Member): void {
    const { room: { roomId }, recipient: { clientId }, deviceId } = member
    // A name that we made up never comes back, so there is nothing to wait for.
    if (deviceId === clientId || !member.introduced) return this.left(member)
    // Also where another node has it: that may be old news, and the next list from there must not look like a departure.
    if (!this.#isHere(roomId, deviceId)) this.#departures.dropped(roomId, describe(member))
    this.announce(roomId)
  }

  /** Other nodes say who is in a room there. */
  elsewhere (room: Room, members: readonly RoomMember[]): void {
    const { roomId, elsewhere: before } = room
    room.elsewhere = members
    for (const member of members) {
      const { deviceId } = member
      // It dropped here and came back there.
      if (this.#departures.returned(roomId, deviceId)) this.announce(roomId)
      else if (!has(before, deviceId) && !this.#isHere(roomId, deviceId)) this.#tell('DEVICE_JOINED', roomId, member)
    }
    for (const member of before) if (!this.#isKnown(roomId, member.deviceId)) this.#tell('DEVICE_LEFT', roomId, member)
  }

  /** The room is over: nobody comes back to it. */
  forget (roomId: string): void { this.#departures.forget(roomId) }

  stop (): void { this.#departures.stop() }

  announce (roomId: string): void { this.#options.announce(roomId, this.#here(roomId), this.#departures.away(roomId)) }

  #here (roomId: string): RoomMember[] {
    const here: RoomMember[] = []
    for (const member of this.#options.rooms.get(roomId)?.members ?? []) if (member.introduced) here.push(describe(member))
    return here
  }

  #isHere (roomId: string, deviceId: string, except?: Member): boolean {
    for (const member of this.#options.rooms.get(roomId)?.members ?? []) if (member.introduced && member.deviceId === deviceId && member !== except) return true
    return false
  }

  /** Whether a device is there for the others: here, away within its grace, or on another node. */
  #isKnown (roomId: string, deviceId: string, except?: Member): boolean {
    return this.#isHere(roomId, deviceId, except) || this.#departures.has(roomId, deviceId) || has(this.#options.rooms.get(roomId)?.elsewhere ?? [], deviceId)
  }

  #tell (type: 'DEVICE_JOINED' | 'DEVICE_LEFT', roomId: string, about: RoomMember): void {
    const news: DevicePresence = { roomId, ...about, timestamp: this.#options.now() }
    let frame: string | undefined
    for (const { presence, recipient } of this.#options.rooms.get(roomId)?.members ?? []) {
      if (presence && recipient.clientId !== about.clientId) recipient.notify(frame ??= encodeFrame(type, news))
    }
  }
}

function has (members: readonly RoomMember[], deviceId: string): boolean { return members.some((member) => member.deviceId === deviceId) }
