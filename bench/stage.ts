// Nodes under measurement with a watcher and a payer for each room, and the CPU time and the work of Redis that a piece of work causes.
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../test/redis.js'
import { Device, each, EVENTS_PER_PAYMENT } from './devices.js'
import { ServerUnderTest } from './process.js'
import { lookAt, type RedisLook } from './redis-look.js'

/** Devices that act concurrently. */
const AT_ONCE = 32
/** Wait after devices left, ms: longer than PRESENCE_GRACE_SECONDS. */
export const GONE = 7_000
/** Wait for the effects of a step after its reply, ms. */
const SETTLED = 500

/** Work of Redis: CPU time in µs, commands (those of scripts included), calls of scripts, and bytes on its network. */
export type RedisWork = Omit<RedisLook, 'memory'>

interface Look { readonly at: number, readonly cpu: number, readonly redis: RedisLook | undefined }

/** Nodes, their Redis, and a watcher and a payer for each room, on one node or on two. */
export class Stage {
  watchers: Device[] = []
  payers: Device[] = []
  #published = 0
  /** Number of events published before the watchers joined. */
  #missed = 0

  constructor (readonly nodes: readonly ServerUnderTest[], readonly redis?: RedisServer) {}

  async look (): Promise<Look> {
    return { at: Date.now(), cpu: this.nodes.reduce((sum, { cpu }) => sum + cpu, 0), redis: this.redis && await lookAt(this.redis) }
  }

  async memory (): Promise<number> { return (await Promise.all(this.nodes.map((node) => node.memory()))).reduce((sum, bytes) => sum + bytes, 0) }

  /** Returns the cost of the work, including its effects within the wait (ms). */
  async during (work: () => Promise<unknown>, wait = SETTLED): Promise<{ cpu: number, redis: RedisWork & { memory: number } }> {
    const before = await this.look()
    await work()
    await sleep(wait)
    const after = await this.look()
    const [from, to] = [before.redis, after.redis]
    const none = { cpu: 0, commands: 0, scripts: 0, bytesIn: 0, bytesOut: 0, memory: 0 }
    const redis = from && to ? Object.fromEntries(Object.entries(to).map(([name, value]) => [name, Number(value) - from[name as keyof RedisLook]])) : none
    return { cpu: after.cpu - before.cpu, redis: redis as unknown as RedisLook }
  }

  /** Has as many devices join and leave, with other rooms: code is compiled, and the memory that a process keeps in reserve is in use. */
  async warmUp (rooms: number): Promise<void> {
    await this.join(rooms, 'earlier')
    await this.leave()
    await sleep(GONE)
  }

  async join (rooms: number, name = 'payment'): Promise<void> {
    this.#missed = this.#published
    const ids = Array.from({ length: rooms }, (_, n) => `${name}_${n}_${'x'.repeat(12)}`)
    const enter = (url: string, name: string, devices: Device[]) => each(ids, AT_ONCE, async (roomId) => {
      const device = await Device.connect(url, roomId, name)
      await device.join()
      devices.push(device)
    })
    await enter(this.nodes[0]!.url, 'device_1', this.watchers)
    await enter(this.nodes.at(-1)!.url, 'device_2', this.payers)
  }

  /** Publishes a number of payments in each room. */
  async pay (payments: number): Promise<void> {
    for (const end = this.#published + payments * EVENTS_PER_PAYMENT; this.#published < end; this.#published++) {
      await each(this.payers, AT_ONCE, (payer) => payer.publish(this.#published))
    }
    await sleep(SETTLED)
    const lacking = this.watchers.filter(({ events }) => events !== this.#published - this.#missed).length
    if (lacking > 0) throw new Error(`${lacking} watchers were not told of every event`)
  }

  async leave (): Promise<void> {
    await each([...this.watchers, ...this.payers], AT_ONCE, (device) => device.leave())
    this.watchers = []
    this.payers = []
  }
}

/** Starts nodes with these settings, with or without a Redis, runs the work with them, and stops them. */
export async function withNodes<T> (envs: ReadonlyArray<Record<string, string>>, redis: RedisServer | undefined, work: (stage: Stage) => Promise<T>): Promise<T> {
  const nodes: ServerUnderTest[] = []
  const stage = new Stage(nodes, redis)
  try {
    for (const env of envs) nodes.push(await ServerUnderTest.start({ ...env, ...(redis && { REDIS_URL: redis.url }) }))
    return await work(stage)
  } finally {
    await stage.leave().catch(() => {})
    for (const node of nodes) await node.stop()
  }
}

/** Returns the work of Redis for each of `count` items. */
export function shareOf ({ cpu, commands, scripts, bytesIn, bytesOut }: RedisWork, count: number): RedisWork {
  return { cpu: cpu / count, commands: commands / count, scripts: scripts / count, bytesIn: bytesIn / count, bytesOut: bytesOut / count }
}
