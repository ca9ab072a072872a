// Grace period of dropped devices: a departure is announced only if the device has not returned when the period ends.
import type { RoomMember } from '../protocol/server-frames.js'

interface Departure { readonly roomId: string, readonly member: RoomMember, readonly dueAt: number }

export interface GracePeriodOptions {
  /** Length of the grace period, ms. */
  readonly grace: number
  /** Monotonic clock, ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Called when a device has not returned within its grace period. */
  readonly onLeft: (roomId: string, member: RoomMember) => void
}

/** One timer serves all rooms. */
export class GracePeriod {
  readonly #rooms = new Map<string, Map<string, Departure>>()
  // All grace periods have the same length, so insertion order is also the order of expiry.
  readonly #due = new Set<Departure>()
  readonly #options: GracePeriodOptions
  #timer: NodeJS.Timeout | undefined

  constructor (options: GracePeriodOptions) { this.#options = options }

  /** Starts the grace period of a dropped device. `onLeft` is called at its end, unless the device returns. */
  start (roomId: string, member: RoomMember): void {
    this.cancel(roomId, member.deviceId)
    const departure = { roomId, member, dueAt: this.#options.monotonic() + this.#options.grace }
    const room = this.#rooms.get(roomId) ?? new Map<string, Departure>()
    this.#rooms.set(roomId, room.set(member.deviceId, departure))
    this.#due.add(departure)
    this.#schedule()
  }

  /** Ends the grace period of a device that returned. @returns true if there was one, in which case the return is not announced */
  cancel (roomId: string, deviceId: string): boolean {
    const departure = this.#rooms.get(roomId)?.get(deviceId)
    if (departure) this.#remove(departure)
    return departure !== undefined
  }

  /** True if a device is in its grace period. */
  has (roomId: string, deviceId: string): boolean { return this.#rooms.get(roomId)?.has(deviceId) ?? false }

  /** Devices of a room that are in their grace period; the other members still see them as present. */
  pending (roomId: string): RoomMember[] {
    const room = this.#rooms.get(roomId)
    return room ? [...room.values()].map(({ member }) => member) : []
  }

  /** Drops the grace periods of a room that has ended: no device returns to it. */
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
