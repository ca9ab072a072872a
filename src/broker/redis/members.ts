// Who is in a room on which node: what this node says of itself, again until it was heard, and what the others said.
import type { RoomMember } from '../../protocol/server-frames.js'
import type { Nodes } from './nodes.js'
import type { MemberFields, RoomStore } from './store.js'

interface Announcement { readonly here: readonly RoomMember[], readonly away: readonly RoomMember[], sent: boolean }

export interface MembersOptions {
  readonly store: RoomStore
  readonly nodes: Nodes
  /** This node. */
  readonly self: string
}

export class Members {
  /** What this node last said of each room that somebody is in here, or away from within their grace. */
  readonly #announcements = new Map<string, Announcement>()
  readonly #options: MembersOptions

  constructor (options: MembersOptions) { this.#options = options }

  async announce (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]): Promise<void> {
    const announcement = { here, away, sent: false }
    this.#announcements.set(roomId, announcement)
    await this.#send(roomId, announcement)
  }

  /** Says again what Redis could not take. */
  async retry (): Promise<void> {
    await Promise.all([...this.#announcements].map(async ([roomId, announcement]) => { if (!announcement.sent) await this.#send(roomId, announcement) }))
  }

  /** Says it again although it was heard: Redis may have forgotten it. */
  async repeat (roomId: string): Promise<void> {
    const announcement = this.#announcements.get(roomId)
    if (announcement) await this.#send(roomId, announcement)
  }

  /** The room is over. */
  forget (roomId: string): void { this.#announcements.delete(roomId) }

  clear (): void { this.#announcements.clear() }

  /** Who is in a room on other nodes that live. */
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
   * Takes what a node said of itself into the members of a room.
   * @param json empty where it has none any more
   * @returns whether it was another node
   */
  applyAnnouncement (elsewhere: Map<string, RoomMember[]>, node: string, json: string): boolean {
    const { nodes, self } = this.#options
    if (node === self) return false
    nodes.markAlive(node)
    if (json === '') elsewhere.delete(node)
    else elsewhere.set(node, JSON.parse(json) as RoomMember[])
    return true
  }

  async #send (roomId: string, announcement: Announcement): Promise<void> {
    const { here, away } = announcement
    const all = [...here, ...away]
    announcement.sent = true
    const failure = await this.#options.store.announce(roomId, this.#options.self, here.length, all.length === 0 ? '' : JSON.stringify(all))
    if (failure) announcement.sent = false
    else if (all.length === 0 && this.#announcements.get(roomId) === announcement) this.#announcements.delete(roomId)
  }
}
