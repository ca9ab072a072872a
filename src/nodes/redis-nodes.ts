// Nodes that share a Redis: each notes its description there every few seconds, and it expires with the node.
import type { RoomRedis } from '../broker/redis/scripts.js'
import { Failure } from '../errors.js'
import type { ServerNode } from '../protocol/rest-nodes.js'
import type { ServerNodes } from './nodes.js'

/** Interval between two notes, ms. */
export const NOTE_INTERVAL = 5_000
/** Time for which a note is valid, ms: a node that has died is listed for so long. */
const LEASE = 15_000

export interface RedisNodesOptions {
  readonly commands: RoomRedis
  /** Key of the notes, with a hash tag. As many as there are nodes: a note that has expired is removed with the next one. */
  readonly key: string
  /** Describes this node as it is now. */
  readonly describe: () => ServerNode
}

export class RedisNodes implements ServerNodes {
  readonly #options: RedisNodesOptions

  constructor (options: RedisNodesOptions) { this.#options = options }

  async list (): Promise<ServerNode[] | Failure> {
    const notes = await this.note()
    if (notes instanceof Failure) return notes
    const nodes = notes.map((text) => JSON.parse(text) as ServerNode)
    return nodes.sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1))
  }

  /** Notes the description of this node. @returns the notes of all live nodes */
  note (): Promise<string[] | Failure> {
    const node = this.#options.describe()
    return this.#run(node.id, JSON.stringify(node))
  }

  /** Removes the note of this node. */
  async leave (): Promise<void> { await this.#run(this.#options.describe().id, '') }

  async #run (id: string, note: string): Promise<string[] | Failure> {
    const { commands, key } = this.#options
    if (commands.status !== 'ready') return new Failure('UNAVAILABLE')
    // The broker reports the trouble of Redis.
    return await commands.noteNode(key, id, note, LEASE).catch(() => new Failure('UNAVAILABLE'))
  }
}
