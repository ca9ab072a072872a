// Members of rooms by node: announces this node's members, retries until Redis accepts the announcement, and applies those of other nodes.
import type { RoomMember } from '../../protocol/server-frames.js'
import type { Nodes } from './nodes.js'
import type { MemberFields, RoomStore } from './store.js'

interface Announcement { readonly here: readonly RoomMember[], readonly away: readonly RoomMember[], sent: boolean }

export interface MembersOptions {
  readonly store: RoomStore
  readonly nodes: Nodes
  /** Name of this node. */
  readonly self: string
}

export class Members {
  /** Latest announcement for each room with members here, connected or away within their grace period. */
  readonly #announcements = new Map<string, Announcement>()
  readonly #options: MembersOptions

  constructor (options: MembersOptions) { this.#options = options }

  async announce (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]): Promise<void> {
    const announcement = { here, away, sent: false }
    this.#announcements.set(roomId, announcement)
    await this.#send(roomId, announcement)
  }

  /** Repeats the announcements that Redis did not accept. */
  async retry (): Promise<void> {
    // Called several times a second, and nearly always all are sent: nothing is made for those.
    const retries: Array<Promise<void>> = []
    for (const [roomId, announcement] of this.#announcements) if (!announcement.sent) retries.push(this.#send(roomId, announcement))
    await Promise.all(retries)
  }

  /** Repeats an announcement that Redis accepted before: Redis may have lost it. */
  async repeat (roomId: string): Promise<void> {
    const announcement = this.#announcements.get(roomId)
    if (announcement) await this.#send(roomId, announcement)
  }

  /** Forgets a room that has ended. */
  forget (roomId: string): void { this.#announcements.delete(roomId) }

  clear (): void { this.#announcements.clear() }

  /** Members of a room on other live nodes, by node. */
  remoteMembers (fields: MemberFields): Map<string, RoomMember[]> {
    const { nodes, self } = this.#options
    const members = new Map<string, RoomMember[]>()
    for (let i = 0; i < fields.length; i += 2) {
      const [node, value] = [fields[i]!, fields[i + 1]!]
      if (node !== self && nodes.has(node)) members.set(node, JSON.parse(value.slice(value.indexOf('\t') + 1)) as RoomMember[])
    }
    return members
  }

  /**
   * Applies the announcement of a node to a room's members.
   * @param json empty if the node has no members left
   * @returns true if the announcement is another node's
   */
  applyAnnouncement (remoteMembers: Map<string, RoomMember[]>, node: string, json: string): boolean {
    const { nodes, self } = this.#options
    if (node === self) return false
    nodes.markAlive(node)
    if (json === '') remoteMembers.delete(node)
    else remoteMembers.set(node, JSON.parse(json) as RoomMember[])
    return true
  }

  async #send (roomId: string, announcement: Announcement): Promise<void> {
    const { here, away } = announcement
    const all = [...here, ...away]
    announcement.sent = true
    const failure = await this.#options.store.announce(roomId, here.length, all.length === 0 ? '' : JSON.stringify(all))
    if (failure) announcement.sent = false
    else if (all.length === 0 && this.#announcements.get(roomId) === announcement) this.#announcements.delete(roomId)
  }
}
