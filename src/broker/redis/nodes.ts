// Registry of live nodes: each node sends a heartbeat every few seconds, and one that stops is removed by the others within a minute.
import type { RoomRedis } from './scripts.js'

/** Interval between two heartbeats, ms. */
export const BEAT_INTERVAL = 5_000
/** Validity of one heartbeat in Redis, ms. */
export const LEASE = 15_000
/** Time that a node may be missing in Redis before this node removes it, ms: after Redis was emptied, all nodes are missing for a moment. */
const NODE_EVICTION_MS = 20_000

/** Number of dead nodes that are remembered, the latest: rooms that are renewed forget them. */
const MAX_DEAD = 50

export interface NodesOptions {
  readonly self: string
  readonly commands: RoomRedis
  /** Key of the registry. */
  readonly key: string
  /** Channel on which a new node announces its name, and one that leaves its name after a `!`. */
  readonly channel: string
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
}

export class Nodes {
  readonly #seenAt = new Map<string, number>()
  /** Nodes that left, until they are removed. */
  readonly #left = new Set<string>()
  #dead: string[] = []
  readonly #options: NodesOptions
  /** Live nodes in the form that the publishing script expects: each between spaces. */
  #list: string

  constructor (options: NodesOptions) {
    this.#options = options
    this.#list = ` ${options.self} `
  }

  get list (): string { return this.#list }

  /** Nodes that this node has removed, each followed by a space. A node's name is never used again. */
  get dead (): string { return this.#dead.map((node) => `${node} `).join('') }

  has (node: string): boolean { return node === this.#options.self || this.#seenAt.has(node) }

  /** Takes a message of the registry's channel. */
  onMessage (message: string): void {
    if (message.startsWith('!')) this.#left.add(message.slice(1))
    else this.markAlive(message)
  }

  /** Records that a node is alive. */
  markAlive (node: string): void {
    if (node === this.#options.self) return
    const isNew = !this.has(node)
    // It was only late.
    if (isNew) this.#dead = this.#dead.filter((dead) => dead !== node)
    this.#seenAt.set(node, this.#options.monotonic())
    if (isNew) this.#rebuildList()
  }

  /**
   * Sends this node's heartbeat and reads the live nodes.
   * @returns the nodes that were removed, and whether they had left or died
   */
  async beat (): Promise<Array<{ node: string, hasLeft: boolean }>> {
    const { self, commands, key, channel, monotonic } = this.#options
    for (const node of await commands.beatNode(key, self, LEASE, channel)) this.markAlive(node)
    const expired = [...this.#seenAt].filter(([, at]) => monotonic() - at >= NODE_EVICTION_MS).map(([node]) => node)
    for (const node of expired) this.#seenAt.delete(node)
    this.#dead = [...this.#dead, ...expired].slice(-MAX_DEAD)
    if (expired.length > 0) this.#rebuildList()
    return expired.map((node) => ({ node, hasLeft: this.#left.delete(node) }))
  }

  /** Removes this node from the registry. */
  async leave (): Promise<void> {
    const { self, commands, key, channel } = this.#options
    await commands.beatNode(key, self, 0, channel)
  }

  #rebuildList (): void { this.#list = ` ${[this.#options.self, ...this.#seenAt.keys()].join(' ')} ` }
}
