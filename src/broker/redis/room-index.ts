// All rooms in the order in which they began: for lists. It may name rooms that have ended since; whoever finds one strikes it off.
import type { RoomRedis } from './scripts.js'

/** Rooms that are checked at once. */
const BATCH = 10_000

export interface RoomIndexOptions {
  readonly commands: RoomRedis
  /** The index' key, with a hash tag. */
  readonly key: string
  /** The key of a room's hash. */
  readonly roomKey: (roomId: string) => string
}

export class RoomIndex {
  readonly #options: RoomIndexOptions
  /** Where the last sweep stopped. */
  #sweptTo = 0

  constructor (options: RoomIndexOptions) { this.#options = options }

  /** @param isNew the room begins now, also where an older one of that name is listed */
  async add (roomId: string, isNew: boolean): Promise<void> {
    const { commands, key } = this.#options
    await commands.enlistRoom(key, `${key}:count`, roomId, isNew ? 1 : 0)
  }

  async remove (...roomIds: string[]): Promise<void> {
    if (roomIds.length > 0) await this.#options.commands.zrem(this.#options.key, ...roomIds)
  }

  /** @returns at most `limit` rooms after a number, with theirs */
  async page (after: number, limit: number): Promise<Array<{ roomId: string, number: number }>> {
    const flat = await this.#options.commands.zrangebyscore(this.#options.key, `(${after}`, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    return Array.from({ length: flat.length / 2 }, (_, i) => ({ roomId: flat[2 * i]!, number: Number(flat[2 * i + 1]) }))
  }

  /**
   * Strikes off rooms that are gone. One node at a time does it, and each call goes on where that node's last one stopped.
   * @param share the part of the index that is looked at, 0–1
   * @param lock ms for which no other node does the same
   */
  async sweep (share: number, lock: number): Promise<void> {
    const { commands, key, roomKey } = this.#options
    if (await commands.set(`${key}:sweeper`, 1, 'PX', lock, 'NX') !== 'OK') return
    for (let left = 100 + Math.ceil(await commands.zcard(key) * share); left > 0; left -= BATCH) {
      const rooms = await this.page(this.#sweptTo, Math.min(BATCH, left))
      // At its end the next sweep begins anew.
      this.#sweptTo = rooms.at(-1)?.number ?? 0
      const exist = await Promise.all(rooms.map(({ roomId }) => commands.exists(roomKey(roomId))))
      await this.remove(...rooms.filter((_, i) => exist[i] === 0).map(({ roomId }) => roomId))
      if (rooms.length === 0) return
    }
  }
}
