// Who is in a room, told to those who asked: a device that drops and is back within the grace time was never away.
import type { RoomMember } from '../protocol/server-frames.js'

interface Departure extends RoomMember { readonly roomId: string, readonly dueAt: number }

export interface PresenceOptions {
  /** How long a device may be away unnoticed, ms. */
  readonly grace: number
  /** ms since the epoch. */
  readonly now: () => number
  /** Called when a device is really gone. */
  readonly onLeft: (roomId: string, member: RoomMember) => void
}

/** Holds back the news of a departure for the grace time. One timer for all rooms. */
export class Presence {
  // The grace is the same for all, so the order of insertion is the order in which they fall due.
  readonly #departures = new Map<string, Departure>()
  readonly #options: PresenceOptions
  #timer: NodeJS.Timeout | undefined

  constructor (options: PresenceOptions) { this.#options = options }

  /** A device dropped. It is gone when the grace is over, unless it comes back. */
  dropped (roomId: string, { clientId, deviceId, role }: RoomMember): void {
    const key = keyOf(roomId, deviceId)
    this.#departures.delete(key)
    this.#departures.set(key, { roomId, clientId, deviceId, role, dueAt: this.#options.now() + this.#options.grace })
    this.#schedule()
  }

  /** @returns whether the device was away within its grace, so that its return is no news */
  returned (roomId: string, deviceId: string): boolean { return this.#departures.delete(keyOf(roomId, deviceId)) }

  /** The devices of a room that are away within their grace: for everyone else they are still there. */
  away (roomId: string): RoomMember[] {
    return [...this.#departures.values()].filter((departure) => departure.roomId === roomId)
      .map(({ clientId, deviceId, role }) => ({ clientId, deviceId, role }))
  }

  /** The room is over: nobody comes back to it. */
  forget (roomId: string): void {
    for (const [key, departure] of this.#departures) if (departure.roomId === roomId) this.#departures.delete(key)
  }

  stop (): void {
    clearTimeout(this.#timer)
    this.#departures.clear()
  }

  #schedule (): void {
    const [first] = this.#departures.values()
    if (this.#timer || !first) return
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, first.dueAt - this.#options.now())).unref()
  }

  #tell (): void {
    this.#timer = undefined
    for (const [key, { roomId, dueAt, ...member }] of this.#departures) {
      if (dueAt > this.#options.now()) break
      this.#departures.delete(key)
      this.#options.onLeft(roomId, member)
    }
    this.#schedule()
  }
}

// A room id holds no slash, so two pairs never make one key.
function keyOf (roomId: string, deviceId: string): string { return `${roomId}/${deviceId}` }
