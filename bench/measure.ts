// Measurements of bench/cost.ts: one node without Redis, two nodes on one Redis with a device of each room on either, and many nodes.
import { setTimeout as sleep } from 'node:timers/promises'
import { LEASE } from '../src/broker/redis/nodes.js'
import { SCRIPTS } from '../src/broker/redis/scripts.js'
import type { RedisServer } from '../test/redis.js'
import { EVENTS_PER_PAYMENT } from './devices.js'
import { withRedis } from './redis-look.js'
import { GONE, shareOf, withNodes, type RedisWork, type Stage } from './stage.js'

const ROOMS = 2_000
/** Idle time, ms: two position checks of each room by its node. */
const IDLE = 20_000
const NO_HEARTBEAT = { HEARTBEAT_SECONDS: '2000000' }
/** Number of pretended nodes, which exist only in the registry. */
const PRETENDED = 1_000
/** Registry of the nodes. */
const NODES = 'wsp:{@nodes}'
/** Number of measured heartbeats of a node, and the registry that they are written to. */
const BEATS = 500
const MEASURED_NODES = 'measured:{@nodes}'
/** Number of rooms added to an index. */
const ENLISTED = 50_000

/** Cost of a node: CPU time of all nodes together, µs; memory, bytes. */
export interface NodeCost {
  /** A socket connects, and joins a room without members on its node. */
  readonly join: number
  /** A socket disconnects, and its grace period ends. */
  readonly leave: number
  /** An event with an id: published, acknowledged, and delivered to one watcher. */
  readonly event: number
  /** Resident memory of an idle socket in a room. */
  readonly socketMemory: number
}

export interface EmbeddedCost extends NodeCost {
  /** A ping and its pong. */
  readonly heartbeat: number
  /** Resident memory of a logged event. */
  readonly eventMemory: number
  /** Resident memory of a node without clients. */
  readonly emptyMemory: number
}

export interface RedisCost {
  /** `second` is one second of an idle socket, without its heartbeat; `renewal` extends the expiry of a room. */
  readonly node: NodeCost & { readonly second: number, readonly renewal: number }
  /** The same for Redis. `second` and `renewal` are for one room on one node. */
  readonly redis: { readonly join: RedisWork, readonly leave: RedisWork, readonly event: RedisWork, readonly second: RedisWork, readonly renewal: RedisWork }
  /** Bytes: a room with eight events and two members; a room that all members have left; one more event. */
  readonly memory: { readonly room: number, readonly left: number, readonly event: number }
}

/** Additional cost of each further node in the registry: to an event (CPU of a node and of Redis, µs; bytes), and to one heartbeat of a node. */
export interface RegistryCost {
  readonly event: { readonly node: number, readonly redis: number, readonly bytesIn: number }
  readonly beat: { readonly redis: number, readonly bytesOut: number }
  /** A room is added to the index of all rooms, which one shard holds: CPU of Redis, µs; bytes. */
  readonly index: { readonly redis: number, readonly memory: number }
}

export async function measureEmbedded (): Promise<EmbeddedCost> {
  // All events stay in the log, so that their memory is visible.
  const payments = 5
  const events = payments * EVENTS_PER_PAYMENT * ROOMS
  const heartbeat = await withNodes([{ HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '60' }], undefined, async (stage) => {
    await stage.join(ROOMS)
    await sleep(2_000)
    return (await stage.during(() => sleep(10_000), 0)).cpu / 10 / (2 * ROOMS)
  })
  return withNodes([NO_HEARTBEAT], undefined, async (stage) => {
    const emptyMemory = await stage.memory()
    await stage.warmUp(ROOMS)
    const warmMemory = await stage.memory()
    const joins = await stage.during(() => stage.join(ROOMS))
    const joinedMemory = await stage.memory()
    const published = await stage.during(() => stage.pay(payments))
    const loggedMemory = await stage.memory()
    const leaves = await stage.during(() => stage.leave(), GONE)
    return {
      join: joins.cpu / (2 * ROOMS),
      leave: leaves.cpu / (2 * ROOMS),
      event: published.cpu / events,
      socketMemory: (joinedMemory - warmMemory) / (2 * ROOMS),
      heartbeat,
      eventMemory: (loggedMemory - joinedMemory) / events,
      emptyMemory
    }
  })
}

export async function measureRedis (): Promise<RedisCost> {
  const events = EVENTS_PER_PAYMENT * ROOMS
  // The expiry is extended every 10 s instead of every 225 s: at a quarter of the retention.
  const often = await idleSecond({ ROOM_RETENTION_SECONDS: '40' })
  return withRedis((redis) => withNodes([NO_HEARTBEAT, NO_HEARTBEAT], redis, async (stage) => {
    await stage.warmUp(ROOMS)
    const rest = await secondOf(stage)
    const warmMemory = await stage.memory()
    const joins = await stage.during(() => stage.join(ROOMS))
    const socketMemory = (await stage.memory() - warmMemory) / (2 * ROOMS)
    const idle = await secondOf(stage, rest)
    const first = await stage.during(() => stage.pay(1))
    const second = await stage.during(() => stage.pay(1))
    const leaves = await stage.during(() => stage.leave(), GONE)
    const renewal = (from: number, to: number) => Math.max(0, to - from) * 10
    return {
      node: {
        join: joins.cpu / (2 * ROOMS),
        leave: leaves.cpu / (2 * ROOMS),
        event: (first.cpu + second.cpu) / (2 * events),
        socketMemory,
        second: idle.cpu,
        renewal: renewal(idle.cpu, often.cpu)
      },
      redis: {
        join: shareOf(joins.redis, 2 * ROOMS),
        leave: shareOf(leaves.redis, 2 * ROOMS),
        event: shareOf(second.redis, events),
        second: idle.redis,
        renewal: Object.fromEntries(Object.entries(often.redis).map(([name, value]) => [name, renewal(idle.redis[name as keyof RedisWork], value)])) as unknown as RedisWork
      },
      memory: {
        room: (joins.redis.memory + first.redis.memory) / ROOMS,
        left: (joins.redis.memory + first.redis.memory + leaves.redis.memory) / ROOMS,
        event: second.redis.memory / events
      }
    }
  }))
}

interface Second { readonly cpu: number, readonly redis: RedisWork }

/**
 * Returns the cost of one second of an idle socket, which is the only one of its room on its node.
 * @param rest the same, measured without sockets: what nodes and Redis do anyway
 */
async function secondOf (stage: Stage, rest?: Second): Promise<Second> {
  const { cpu, redis } = await stage.during(() => sleep(IDLE), 0)
  const socketSeconds = 2 * ROOMS * IDLE / 1_000
  const share = shareOf(redis, socketSeconds)
  const more = Object.fromEntries(Object.entries(share).map(([name, value]) => [name, Math.max(0, value - (rest?.redis[name as keyof RedisWork] ?? 0))]))
  return { cpu: Math.max(0, cpu / socketSeconds - (rest?.cpu ?? 0)), redis: more as unknown as RedisWork }
}

async function idleSecond (env: Record<string, string>): Promise<Second> {
  const envs = [{ ...NO_HEARTBEAT, ...env }, { ...NO_HEARTBEAT, ...env }]
  return withRedis((redis) => withNodes(envs, redis, async (stage) => {
    await stage.warmUp(ROOMS)
    const rest = await secondOf(stage)
    await stage.join(ROOMS)
    return secondOf(stage, rest)
  }))
}

/** Measures some rooms on one node, first alone and then with many names in the registry. */
export async function measureRegistry (): Promise<RegistryCost> {
  const rooms = 500
  const payments = 8
  const events = rooms * payments * EVENTS_PER_PAYMENT
  // A negative difference is below the precision of the measurement, and counts as 0.
  const share = (more: number, less: number, count: number) => Math.max(0, more - less) / count / PRETENDED
  return withRedis((redis) => withNodes([NO_HEARTBEAT], redis, async (stage) => {
    const quiet = await stage.during(() => beat(redis), 0)
    await stage.join(rooms)
    // Warm-up: the code is compiled before the measurement.
    await stage.pay(1)
    const alone = await stage.during(() => stage.pay(payments))
    await stage.leave()
    await sleep(GONE)
    const pretend = (registry: string, lease: number) =>
      redis.client.zadd(registry, ...Array.from({ length: PRETENDED }, (_, n) => [Date.now() + lease, `pretended${n}`.padEnd(12, '_').slice(-12)]).flat())
    await pretend(MEASURED_NODES, 3_600_000)
    // A longer lease than that of a node is taken for a fault of the clock.
    const renew = () => pretend(NODES, LEASE)
    await renew()
    const renewal = setInterval(renew, LEASE / 3)
    // Wait until the node has read the names.
    await sleep(6_000)
    const beats = await stage.during(() => beat(redis), 0)
    await stage.join(rooms)
    const crowded = await stage.during(() => stage.pay(payments))
    clearInterval(renewal)
    if (await redis.client.zcard(NODES) <= PRETENDED) throw new Error('the pretended nodes were removed')
    const index = await stage.during(() => enlist(redis), 0)
    return {
      event: {
        node: share(crowded.cpu, alone.cpu, events),
        redis: share(crowded.redis.cpu, alone.redis.cpu, events),
        bytesIn: share(crowded.redis.bytesIn, alone.redis.bytesIn, events)
      },
      beat: {
        redis: share(beats.redis.cpu, quiet.redis.cpu, BEATS),
        bytesOut: share(beats.redis.bytesOut, quiet.redis.bytesOut, BEATS)
      },
      index: { redis: index.redis.cpu / ENLISTED, memory: index.redis.memory / ENLISTED }
    }
  }))
}

/** Sends heartbeats in a registry of their own, many times as many as the node sends meanwhile: a few are below the precision of the measurement. */
async function beat ({ client }: RedisServer): Promise<void> {
  const script = await client.script('LOAD', SCRIPTS.beatNode.lua) as string
  for (let n = 0; n < BEATS; n++) await client.evalsha(script, 1, MEASURED_NODES, 'measured', 3_600_000, 'measured:db0:{@nodes}')
}

/** Adds rooms to an index of their own, as many concurrently as a busy node does. */
async function enlist ({ client }: RedisServer): Promise<void> {
  const script = await client.script('LOAD', SCRIPTS.enlistRooms.lua) as string
  for (let n = 0; n < ENLISTED; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => client.evalsha(script, 2, 'measured:{@rooms}', 'measured:{@rooms}:count', `payment_${n + i}_${'x'.repeat(12)}`, 1)))
  }
}
