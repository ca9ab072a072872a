// Devices that dropped and may be back: the news of it is held back for the grace time.
import type { RoomMember } from '../protocol/server-frames.js'

interface Departure { readonly roomId: string, readonly member: RoomMember, readonly dueAt: number }

export interface GracePeriodOptions {
  /** How long a device may be away unnoticed, ms. */
  readonly grace: number
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Called when a device is really gone. */
  readonly onLeft: (roomId: string, member: RoomMember) => void
}

/** One timer for all rooms. */
export class GracePeriod {
  readonly #rooms = new Map<string, Map<string, Departure>>()
  // The grace is the same for all, so the order of insertion is the order in which they fall due.
  readonly #due = new Set<Departure>()
  readonly #options: GracePeriodOptions
  #timer: NodeJS.Timeout | undefined

  constructor (options: GracePeriodOptions) { this.#options = options }

  /** A device dropped. It is gone when the grace is over, unless it comes back. */
  start (roomId: string, member: RoomMember): void {
    this.cancel(roomId, member.deviceId)
    const departure = { roomId, member, dueAt: this.#options.monotonic() + this.#options.grace }
    const room = this.#rooms.get(roomId) ?? new Map<string, Departure>()
    this.#rooms.set(roomId, room.set(member.deviceId, departure))
    this.#due.add(departure)
    this.#schedule()
  }

  /** @returns whether the device was away within its grace, so that its return is no news */
  cancel (roomId: string, deviceId: string): boolean {
    const departure = this.#rooms.get(roomId)?.get(deviceId)
    if (departure) this.#remove(departure)
    return departure !== undefined
  }

  /** Whether a device is away within its grace. */
  has (roomId: string, deviceId: string): boolean { return this.#rooms.get(roomId)?.has(deviceId) ?? false }

  /** The devices of a room that are away within their grace: for everyone else they are still there. */
  pending (roomId: string): RoomMember[] {
    const room = this.#rooms.get(roomId)
    return room ? [...room.values()].map(({ member }) => member) : []
  }

  /** The room is over: nobody comes back to it. */
  forget (roomId: string): void {
    for (const departure of this.#rooms.get(roomId)?.values() ?? []) this.#remove(departure)
  }

  stop (): void {
    clearTimeout(this.#timer)
    this.#due.clear()
    this.#rooms.clear()
  }

  #remove (departure: Departure): void {
    const { roomId, member: { deviceId } } = departure
    this.#due.delete(departure)
    const room = this.#rooms.get(roomId)
    room?.delete(deviceId)
    if (room?.size === 0) this.#rooms.delete(roomId)
  }

  #schedule (): void {
    const [first] = this.#due
    if (this.#timer || !first) return
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, first.dueAt - this.#options.monotonic())).unref()
  }

  #tell (): void {
    this.#timer = undefined
    for (const departure of this.#due) {
      if (departure.dueAt > this.#options.monotonic()) break
      this.#remove(departure)
      this.#options.onLeft(departure.roomId, departure.member)
    }
    this.#schedule()
  }
}
