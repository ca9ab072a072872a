// Rooms by the time at which something is due in them, whether a node is subscribed to them or not: the deadline of a link, a payment that stalls.
import { Failure } from '../../errors.js'
import { awaitsPayer } from '../../payment/state.js'
import type { RoomStore, StallCheck, StoredRoom } from './store.js'

/** Time that a node has for a room that it took, ms; then another node takes it. */
const LEASE = 10_000
/** Rooms that a node takes at once. */
const BATCH = 100

export interface DueRoomsOptions {
  readonly store: RoomStore
  /** Key of the sorted set, with a hash tag. */
  readonly key: string
  /** Clock of the rooms, ms since the epoch; if omitted, the clock of Redis. */
  readonly now?: (() => number) | undefined
  /** Time without an event after which a payment stalls, ms; undefined: payments never stall. */
  readonly stall?: number | undefined
  /** Reads a room, and logs the deadline of its link if that has passed. */
  readonly read: (roomId: string) => Promise<StoredRoom | Failure>
  /** Called on the one node that noticed the pause. */
  readonly onStalled: (roomId: string, room: StoredRoom, stall: StallCheck) => void
}

export class DueRooms {
  readonly #options: DueRoomsOptions
  /** True while a tick's work goes on. */
  #working = false

  constructor (options: DueRoomsOptions) { this.#options = options }

  /**
   * Makes a room due after a time, unless it is due before.
   * @param delay ms
   * @returns false if Redis did not take it
   */
  set (roomId: string, delay: number): Promise<boolean> { return this.#set(roomId, delay, '') }

  /** Does the work of the rooms that are due, for as long as there are some. */
  async tick (): Promise<void> {
    if (this.#working) return
    this.#working = true
    while (await this.#workOnBatch() === BATCH);
    this.#working = false
  }

  /** @returns number of rooms that were due */
  async #workOnBatch (): Promise<number> {
    const { store, key, now } = this.#options
    const reply = await store.run((redis) => redis.takeDue(key, now?.() ?? '', LEASE, BATCH))
    if (reply instanceof Failure) return 0
    const [lease, ...roomIds] = reply
    await Promise.all(roomIds.map((roomId) => this.#workOn(roomId, lease)))
    return roomIds.length
  }

  async #workOn (roomId: string, lease: number): Promise<void> {
    const room = await this.#options.read(roomId)
    // The lease runs out, and a node tries again.
    if (room instanceof Failure && room.code === 'UNAVAILABLE') return
    const delay = room instanceof Failure ? Infinity : await this.#nextDelay(roomId, room)
    if (delay instanceof Failure) return
    await this.#set(roomId, delay === Infinity ? '' : delay, lease)
    if (room instanceof Failure) return
    // An event since the read may have asked for a time that the lease hid.
    const position = await this.#options.store.position(roomId)
    if (!(position instanceof Failure) && position.seq > room.seq) await this.set(roomId, 0)
  }

  /** Notices a pause. @returns ms until the room is due again; Infinity if it is not */
  async #nextDelay (roomId: string, room: StoredRoom): Promise<number | Failure> {
    const { store, stall, onStalled } = this.#options
    const { deadline, readAt } = room
    const untilDeadline = deadline !== null && deadline > readAt ? deadline - readAt : Infinity
    if (stall === undefined || !awaitsPayer(room.payment.state)) return untilDeadline
    const check = await store.noteStall(roomId, stall)
    if (check instanceof Failure) return check
    if (check.isNew) onStalled(roomId, room, check)
    return Math.min(untilDeadline, check.left ?? Infinity)
  }

  async #set (roomId: string, delay: number | '', lease: number | ''): Promise<boolean> {
    const { store, key, now } = this.#options
    return !(await store.run((redis) => redis.setDue(key, now?.() ?? '', roomId, delay, lease)) instanceof Failure)
  }
}
