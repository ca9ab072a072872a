// Probes whether Redis accepts every command that rooms need, on keys and a channel under the prefix, on every master.
import slotOf from 'cluster-key-slot'
import { Cluster, ReplyError } from 'ioredis'
import type { RedisClients } from './clients.js'
import { missing, troubleOf, type Trouble } from './trouble.js'

/** Upper bound of the names tried to find one for each master of a cluster; a thousand masters take about ten thousand. */
const MAX_NAMES = 100_000

export interface ProbeOptions {
  readonly connection: RedisClients
  /** Prefix of every key and channel. */
  readonly prefix: string
  /** Returns the channel for a hash tag. */
  readonly channelOf: (tag: string) => string
}

export class Probe {
  readonly #options: ProbeOptions
  /** Hash tag for each master, by the master's `host:port`. */
  #tags = new Map<string, string>()
  /** False before the first run, which probes twice: a script is sent as EVAL at first and as EVALSHA from then on, which are two ACL rights. */
  #hasRun = false

  constructor (options: ProbeOptions) { this.#options = options }

  /** @returns the refusal, missing ACL rights first; undefined if rooms can be read and written on every master */
  async run (): Promise<Trouble | undefined> {
    const trouble = this.#hasRun ? undefined : await this.#runOnce()
    this.#hasRun = true
    return trouble ?? this.#runOnce()
  }

  async #runOnce (): Promise<Trouble | undefined> {
    const { commands } = this.#options.connection
    if (!(commands instanceof Cluster)) return this.#try('@probe')
    const troubles = await Promise.all([...this.#tagsOf(commands)].map(async ([shard, tag]) => {
      const trouble = await this.#try(tag)
      return trouble && { ...trouble, shard }
    }))
    return troubles.find((trouble) => trouble?.code === 'NOPERM') ?? troubles.find((trouble) => trouble)
  }

  async #try (tag: string): Promise<Trouble | undefined> {
    const { connection: { commands, subscriber }, prefix, channelOf } = this.#options
    const key = `${prefix}:{${tag}}`
    const channel = channelOf(tag)
    try {
      const failed = await commands.probe(key, `${key}:list`, `${key}:set`, `${key}:text`, `${key}:stream`, channel)
      // SUNSUBSCRIBE needs a right of its own. RoomSubscriptions ignores its failure, so only this probe reports a missing right.
      await subscriber.sunsubscribe(channel).catch(passNotSubscribed)
      return refusedBy(failed, channel)
    } catch (error) {
      return troubleOf(error, `keys and channels that begin with ${prefix}:`)
    }
  }

  /** Finds a hash tag for each master by trying names. Tags are kept until their slots move. */
  #tagsOf (cluster: Cluster): ReadonlyMap<string, string> {
    const masterOf = (tag: string) => cluster.slots[slotOf(`{${tag}}`)]?.[0]
    const masters = new Set(cluster.slots.map(([master]) => master))
    const tags = new Map([...this.#tags].filter(([master, tag]) => masters.has(master) && masterOf(tag) === master))
    for (let n = 0; tags.size < masters.size && n < MAX_NAMES; n++) {
      const tag = `@probe${n}`
      const master = masterOf(tag)
      if (master !== undefined && !tags.has(master)) tags.set(master, tag)
    }
    this.#tags = tags
    return tags
  }
}

/** Valkey from 8.0 on refuses to unsubscribe a connection without subscriptions. It checks the right first, so the right is there. */
function passNotSubscribed (error: unknown): void {
  if (!(error instanceof ReplyError && (error as Error).message.startsWith('NOSUB'))) throw error
}

/** @param failed command and error, alternating */
function refusedBy (failed: readonly string[], channel: string): Trouble | undefined {
  const rights: string[] = []
  let first: Trouble | undefined
  for (let i = 0; i < failed.length; i += 2) {
    const [command, error] = [failed[i]!, failed[i + 1]!]
    const trouble = troubleOf({ message: error }, command)
    if (trouble.code === 'NOPERM') rights.push(/channel/.test(error) ? `channels like ${channel}` : command)
    first ??= trouble
  }
  return rights.length > 0 ? missing(rights) : first
}
