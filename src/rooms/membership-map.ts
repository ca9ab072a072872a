// Rooms that one subscriber has joined.
import type { Member } from './room.js'

/** Memberships of a subscriber by room id. Nearly every subscriber is in one room, and needs no Map: 220 B less for each socket. */
export class MembershipMap {
  #first: Member | undefined
  #others: Map<string, Member> | undefined

  get size (): number { return (this.#first ? 1 : 0) + (this.#others?.size ?? 0) }

  get (roomId: string): Member | undefined { return this.#first?.room.roomId === roomId ? this.#first : this.#others?.get(roomId) }

  /** Adds a member whose room is not in the map. */
  add (member: Member): void {
    if (this.#first) (this.#others ??= new Map()).set(member.room.roomId, member)
    else this.#first = member
  }

  delete (roomId: string): void {
    if (this.#first?.room.roomId === roomId) this.#first = undefined
    else this.#others?.delete(roomId)
  }

  /** Returns the members at the time of the call. */
  values (): Member[] { return [...this.#first ? [this.#first] : [], ...this.#others?.values() ?? []] }
}
