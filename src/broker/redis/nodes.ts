// Which nodes live: each says so every few seconds, and one that stops is gone for the others within a minute.
import type { RoomRedis } from './scripts.js'

/** Time between two signs of life, ms. */
export const BEAT_INTERVAL = 5_000
/** How long one sign of life lasts in Redis, ms. */
const LEASE = 15_000
/** How long a node may be missing there before we give it up, ms: after Redis was emptied, all of them are missing for a moment. */
const NODE_EVICTION_MS = 20_000

export interface NodesOptions {
  readonly self: string
  readonly commands: RoomRedis
  /** The registry's key. */
  readonly key: string
  /** Where a node that is new says its name. */
  readonly channel: string
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
}

export class Nodes {
  readonly #seenAt = new Map<string, number>()
  readonly #options: NodesOptions
  /** The living ones, as the publishing script wants them: each between spaces. */
  #list: string

  constructor (options: NodesOptions) {
    this.#options = options
    this.#list = ` ${options.self} `
  }

  get list (): string { return this.#list }

  has (node: string): boolean { return node === this.#options.self || this.#seenAt.has(node) }

  /** A node was heard of. */
  markAlive (node: string): void {
    if (node === this.#options.self) return
    const isNew = !this.has(node)
    this.#seenAt.set(node, this.#options.monotonic())
    if (isNew) this.#rebuildList()
  }

  /**
   * Says that this node lives, and looks who else does.
   * @returns those that were given up
   */
  async beat (): Promise<string[]> {
    const { self, commands, key, channel, monotonic } = this.#options
    for (const node of await commands.beatNode(key, self, LEASE, channel)) this.markAlive(node)
    const gone = [...this.#seenAt].filter(([, at]) => monotonic() - at >= NODE_EVICTION_MS).map(([node]) => node)
    for (const node of gone) this.#seenAt.delete(node)
    if (gone.length > 0) this.#rebuildList()
    return gone
  }

  /** Takes this node out. */
  async leave (): Promise<void> {
    const { self, commands, key, channel } = this.#options
    await commands.beatNode(key, self, 0, channel)
  }

  #rebuildList (): void { this.#list = ` ${[this.#options.self, ...this.#seenAt.keys()].join(' ')} ` }
}
