// Nodes under measurement with a watcher and a payer for each room, on one node or on two; and the difference that some work makes to their CPU time and to Redis.
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../test/redis.js'
import { Device, each, EVENTS_PER_PAYMENT } from './devices.js'
import { ServerUnderTest } from './process.js'
import { lookAt, type RedisLook } from './redis-look.js'

/** Devices that do something at once. */
const AT_ONCE = 32
/** What a step sets off behind its answer is over by then, ms. */
const SETTLED = 500

/** What Redis does: CPU time in µs, commands (those of scripts included), scripts, and bytes on its network. */
export type RedisWork = Omit<RedisLook, 'memory'>

interface Look { readonly at: number, readonly cpu: number, readonly redis: RedisLook | undefined }

/** Some nodes, their Redis, and a watcher and a payer for each room: on one node, or on two. */
export class Stage {
  watchers: Device[] = []
  payers: Device[] = []
  #published = 0
  /** What was published before the watchers came. */
  #missed = 0

  constructor (readonly nodes: readonly ServerUnderTest[], readonly redis?: RedisServer) {}

  async look (): Promise<Look> {
    return { at: Date.now(), cpu: this.nodes.reduce((sum, { cpu }) => sum + cpu, 0), redis: this.redis && await lookAt(this.redis) }
  }

  async memory (): Promise<number> { return (await Promise.all(this.nodes.map((node) => node.memory()))).reduce((sum, bytes) => sum + bytes, 0) }

  /** What some work costs, and its consequences that come within a while. */
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

  async join (rooms: number): Promise<void> {
    this.#missed = this.#published
    const ids = Array.from({ length: rooms }, (_, n) => `payment_${n}_${'x'.repeat(12)}`)
    const enter = (url: string, name: string, devices: Device[]) => each(ids, AT_ONCE, async (roomId) => {
      const device = await Device.connect(url, roomId, name)
      await device.join()
      devices.push(device)
    })
    await enter(this.nodes[0]!.url, 'device_1', this.watchers)
    await enter(this.nodes.at(-1)!.url, 'device_2', this.payers)
  }

  /** So many payments in each room. */
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

/** Starts nodes with these settings, for a Redis or for themselves, and gives them to the work. */
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

/** What Redis did, for each of so many. */
export function shareOf ({ cpu, commands, scripts, bytesIn, bytesOut }: RedisWork, count: number): RedisWork {
  return { cpu: cpu / count, commands: commands / count, scripts: scripts / count, bytesIn: bytesIn / count, bytesOut: bytesOut / count }
}
