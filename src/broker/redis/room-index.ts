// Index of all rooms in the order of their start, for listings. May still name ended rooms; a caller that finds one removes it.
import { setImmediate as turn } from 'node:timers/promises'
import type { NumberedRoom, RoomSource } from '../room-listing.js'
import type { RoomRedis } from './scripts.js'

/** Rooms that are checked at once. */
const BATCH = 10_000
/** Rooms that are added at once. */
const MAX_ADDED = 64

export interface RoomIndexOptions {
  readonly commands: RoomRedis
  /** Key of the index, with a hash tag. */
  readonly key: string
  /** Returns the key of a room's hash. */
  readonly roomKey: (roomId: string) => string
}

export class RoomIndex {
  readonly #options: RoomIndexOptions
  /** Number of the room at which the last sweep stopped. */
  #sweptTo = 0
  /** Rooms to add in this turn, each with 1 if it starts now, and their addition. */
  #waiting: Array<string | number> = []
  #added: Promise<void> | undefined

  constructor (options: RoomIndexOptions) { this.#options = options }

  /** Adds a room, together with all others of this turn of the event loop. @param isNew the room starts now, even if an older room of that name is listed */
  add (roomId: string, isNew: boolean): Promise<void> {
    this.#waiting.push(roomId, isNew ? 1 : 0)
    this.#added ??= this.#addWaiting()
    return this.#added
  }

  async #addWaiting (): Promise<void> {
    await turn()
    const rooms = this.#waiting
    this.#waiting = []
    this.#added = undefined
    const { commands, key } = this.#options
    for (let at = 0; at < rooms.length; at += 2 * MAX_ADDED) await commands.enlistRooms(key, `${key}:count`, ...rooms.slice(at, at + 2 * MAX_ADDED))
  }

  async remove (...roomIds: string[]): Promise<void> {
    if (roomIds.length > 0) await this.#options.commands.zrem(this.#options.key, ...roomIds)
  }

  /** @returns at most `limit` rooms beyond the number `after`, in the direction of the sort */
  async page ({ after, limit, sort }: Parameters<RoomSource['numbered']>[0]): Promise<NumberedRoom[]> {
    const { commands, key } = this.#options
    // A room that began before this call is listed. The caller of add() handles a failure.
    await this.#added?.catch(() => {})
    const flat = sort === 'newest'
      ? await commands.zrange(key, after === undefined ? '+inf' : `(${after}`, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, limit, 'WITHSCORES')
      : await commands.zrange(key, `(${after ?? 0}`, '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
    return Array.from({ length: flat.length / 2 }, (_, i) => ({ roomId: flat[2 * i]!, number: Number(flat[2 * i + 1]) }))
  }

  /**
   * Removes ended rooms from the index. One node sweeps at a time, and each call continues where that node's last one stopped.
   * @param share fraction of the index to check, 0–1
   * @param lock time for which no other node sweeps, ms
   */
  async sweep (share: number, lock: number): Promise<void> {
    const { commands, key, roomKey } = this.#options
    if (await commands.set(`${key}:sweeper`, 1, 'PX', lock, 'NX') !== 'OK') return
    for (let left = 100 + Math.ceil(await commands.zcard(key) * share); left > 0; left -= BATCH) {
      const rooms = await this.page({ after: this.#sweptTo, limit: Math.min(BATCH, left), sort: 'oldest' })
      // After the end of the index, the next sweep starts at its beginning.
      this.#sweptTo = rooms.at(-1)?.number ?? 0
      const exist = await Promise.all(rooms.map(({ roomId }) => commands.exists(roomKey(roomId))))
      await this.remove(...rooms.filter((_, i) => exist[i] === 0).map(({ roomId }) => roomId))
      if (rooms.length === 0) return
    }
  }
}
