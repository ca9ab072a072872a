// Checks whether a full Redis may drop rooms that are in use: any eviction policy but noeviction does.
import { Cluster, type Redis } from 'ioredis'

export interface EvictionPolicyOptions {
  readonly commands: Redis | Cluster
  /** Called once for each policy other than `noeviction`, with its name. */
  readonly onOther: (policy: string) => void
}

export class EvictionPolicy {
  readonly #options: EvictionPolicyOptions
  readonly #reported = new Set<string>()

  constructor (options: EvictionPolicyOptions) { this.#options = options }

  /** Asks every master by INFO, since managed Redis services seldom permit CONFIG. */
  async check (): Promise<void> {
    const { commands, onOther } = this.#options
    const masters = commands instanceof Cluster ? commands.nodes('master') : [commands]
    const answers = await Promise.allSettled(masters.map(async (master) => master.info('memory')))
    for (const answer of answers) {
      const policy = answer.status === 'fulfilled' ? /^maxmemory_policy:(\S+)/m.exec(answer.value)?.[1] : undefined
      if (policy === undefined || policy === 'noeviction' || this.#reported.has(policy)) continue
      this.#reported.add(policy)
      onOther(policy)
    }
  }
}
