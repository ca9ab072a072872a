// Rooms in the order of their starts, readable in both directions from any place. A Map has that order, but must be walked from its oldest room.
import type { NumberedRoom } from '../room-listing.js'

/** Numbers of one block. A block without rooms is dropped, so that memory follows the number of rooms. */
const BLOCK = 1_024

/** `rooms[i]` has the number `first + i`; undefined: the room has ended. */
interface Block { readonly first: number, readonly rooms: Array<string | undefined>, left: number }

export class RoomOrder {
  /** Ascending, each with at least one room. */
  readonly #blocks: Block[] = []

  /** Adds a room. @param number above the numbers of all rooms before */
  add (roomId: string, number: number): void {
    let block = this.#blocks.at(-1)
    if (!block || number >= block.first + BLOCK) this.#blocks.push(block = { first: number, rooms: [], left: 0 })
    block.rooms[number - block.first] = roomId
    block.left++
  }

  /** Removes a room, once. */
  remove (number: number): void {
    const index = this.#indexOf(number)
    const block = this.#blocks[index]!
    block.rooms[number - block.first] = undefined
    if (--block.left === 0) this.#blocks.splice(index, 1)
  }

  clear (): void { this.#blocks.length = 0 }

  /** @returns at most `limit` rooms with a number above `after`, the oldest first */
  above (after: number, limit: number): NumberedRoom[] {
    const found: NumberedRoom[] = []
    for (let index = Math.max(0, this.#indexOf(after)); index < this.#blocks.length; index++) {
      const { first, rooms } = this.#blocks[index]!
      for (let i = Math.max(0, after + 1 - first); i < rooms.length; i++) {
        if (rooms[i] !== undefined && found.push({ roomId: rooms[i]!, number: first + i }) === limit) return found
      }
    }
    return found
  }

  /** @returns at most `limit` rooms with a number below `before`, the newest first */
  below (before: number, limit: number): NumberedRoom[] {
    const found: NumberedRoom[] = []
    for (let index = this.#indexOf(before); index >= 0; index--) {
      const { first, rooms } = this.#blocks[index]!
      for (let i = Math.min(rooms.length, before - first) - 1; i >= 0; i--) {
        if (rooms[i] !== undefined && found.push({ roomId: rooms[i]!, number: first + i }) === limit) return found
      }
    }
    return found
  }

  /** Index of the last block that begins at or before a number; -1 if all begin after it. */
  #indexOf (number: number): number {
    let [low, high] = [0, this.#blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#blocks[middle]!.first <= number) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
