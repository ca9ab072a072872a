// How many nodes and shards a number of payments needs: what they demand, what it costs by bench/cost.json, and what is used up first.
import { BEAT_INTERVAL } from '../src/broker/redis/nodes.js'
import { ConfigSchema } from '../src/config.js'
import { seeded } from '../test/seeded.js'
import type { Cost } from './cost.js'
import { EVENTS_PER_PAYMENT } from './devices.js'
import { hottestShard } from './simulation.js'
import type { RedisWork } from './stage.js'

/** What is assumed, and not measured. Each with its reason; the documentation has the same list. */
export const ASSUMED = {
  /** One watches and one pays. They meet different nodes, as nearly always where there are many: the dearest case. */
  sockets: 2,
  /** A payer reads, fills in a form, and looks for his card, s. */
  payment: 300,
  /** A phone goes to the bank's app and comes back: one more leave and join in a payment. */
  reconnects: 1,
  /** Of one core, since a node is one thread: the other half is for those that come back after a restart. */
  nodeCpu: 0.5,
  /** Of one core. Less than of a node: a shard cannot be relieved within a second. */
  shardCpu: 0.4,
  /** Bytes, and the share of them that may be in use: the rest is for garbage, and for what waits for slow sockets. */
  nodeMemory: 2 * 2 ** 30,
  nodeMemoryShare: 0.7,
  /** Half of it is for the copy that a rewrite of the file or a new replica makes, and for buffers. */
  shardMemory: 8 * 2 ** 30,
  shardMemoryShare: 0.5,
  /** Bytes per second in either direction: half of one Gbit/s. */
  shardNetwork: 62_500_000,
  /** One node may be away, for a restart or for good. Each shard has a replica, which takes over and does no work before. */
  spareNodes: 1
} as const

const SETTING = ConfigSchema.properties
export const RETENTION = SETTING.ROOM_RETENTION_SECONDS.default as number
const HEARTBEAT = SETTING.HEARTBEAT_SECONDS.default as number
/** How long after its end Redis forgets a room (`margin` in src/broker/redis/scripts.ts), s. */
const MARGIN = 60
/** How often a room is kept from its end, s. */
const RENEWAL = RETENTION / 4
/** Hash, order and sockets of a simulation: another seed, another sample. */
export const SEED = 1

/** What so many rooms that are in use demand in a second. */
export interface Demand { readonly rooms: number, readonly begins: number, readonly events: number, readonly joins: number, readonly sockets: number, readonly left: number }

export function demandOf (rooms: number): Demand {
  const { payment, sockets, reconnects } = ASSUMED
  const begins = rooms / payment
  return {
    rooms,
    begins,
    events: begins * EVENTS_PER_PAYMENT,
    joins: begins * (sockets + reconnects),
    sockets: rooms * sockets,
    /** Rooms that nobody is in any more. */
    left: begins * (RETENTION + MARGIN)
  }
}

/** What is used up, as the number of nodes or shards that it takes: not rounded, and before any spare one. */
export type Bounds = Readonly<Record<string, number>>

export interface Plan {
  readonly demand: Demand
  readonly nodes: { readonly bounds: Bounds, readonly count: number }
  /** `hottest` is the fullest shard, as a multiple of the mean. */
  readonly shards: { readonly bounds: Bounds, readonly hottest: number, readonly count: number }
}

/** The name of what is used up first, and how many it takes. */
export function binding (bounds: Bounds): [name: string, count: number] { return Object.entries(bounds).reduce((most, bound) => bound[1] > most[1] ? bound : most) }

/** CPU of all nodes, µs in a second. @param nodes how many there are: each event carries the names of all */
export function nodeCpu (cost: Cost, { events, joins, sockets }: Demand, nodes: number): number {
  const { embedded: { heartbeat }, redis: { node }, registry } = cost
  return events * (node.event + nodes * registry.event.node) + joins * (node.join + node.leave) + sockets * (heartbeat / HEARTBEAT + node.second + node.renewal / RENEWAL)
}

/** The same for Redis, of one kind of its work. */
export function redisWork (cost: Cost, { events, joins, sockets }: Demand, nodes: number, kind: keyof RedisWork): number {
  const { redis: { redis }, registry: { event } } = cost
  const listed = kind === 'cpu' ? event.redis : kind === 'bytesIn' ? event.bytesIn : 0
  return events * (redis.event[kind] + nodes * listed) + joins * (redis.join[kind] + redis.leave[kind]) + sockets * (redis.second[kind] + redis.renewal[kind] / RENEWAL)
}

/** Bytes that the rooms take in Redis. */
export function roomMemory ({ redis: { memory } }: Cost, { rooms, left }: Demand): number { return rooms * memory.room + left * memory.left }

/** Nodes for so many rooms, over Redis. */
export function planNodes (cost: Cost, demand: Demand): Plan['nodes'] {
  const { nodeMemory, nodeMemoryShare, spareNodes } = ASSUMED
  const boundsWith = (nodes: number) => ({
    CPU: nodeCpu(cost, demand, nodes) / (ASSUMED.nodeCpu * 1_000_000),
    memory: demand.sockets * cost.redis.node.socketMemory / (nodeMemory * nodeMemoryShare - cost.embedded.emptyMemory)
  })
  const count = settle((nodes) => Math.ceil(binding(boundsWith(nodes))[1]) + spareNodes)
  return { bounds: boundsWith(count), count }
}

/** What the shards are used up by, were all of them equally full. */
export function shardBounds (cost: Cost, demand: Demand, nodes: number): Bounds {
  const { shardMemory, shardMemoryShare, shardNetwork } = ASSUMED
  return {
    CPU: redisWork(cost, demand, nodes, 'cpu') / (ASSUMED.shardCpu * 1_000_000),
    memory: roomMemory(cost, demand) / (shardMemory * shardMemoryShare),
    network: Math.max(redisWork(cost, demand, nodes, 'bytesIn'), redisWork(cost, demand, nodes, 'bytesOut')) / shardNetwork
  }
}

/** Nodes and shards for so many rooms, over Redis. */
export function plan (cost: Cost, rooms: number): Plan {
  const demand = demandOf(rooms)
  const nodes = planNodes(cost, demand)
  const bounds = shardBounds(cost, demand, nodes.count)
  const [, most] = binding(bounds)
  // As many as the fullest one needs; with more of them it is another one.
  const count = settle((shards) => Math.ceil(most * hottestShard(rooms, shards, seeded(SEED))))
  return {
    demand,
    nodes,
    shards: { bounds, hottest: Number.isFinite(count) ? hottestShard(rooms, count, seeded(SEED)) : Infinity, count }
  }
}

/** The first count that needs no more than itself. */
function settle (needed: (count: number) => number): number {
  let count = 1
  for (let next = needed(count); next > count; next = needed(count)) {
    // Each that is added costs more than it can do.
    if (next > 1_000_000) return Infinity
    count = next
  }
  return count
}

/** What one node without Redis is used up by, as shares of what it may use. */
export function embedded ({ embedded: { join, leave, event, heartbeat, socketMemory, eventMemory, emptyMemory } }: Cost, rooms: number): Bounds {
  const { events, joins, sockets, left } = demandOf(rooms)
  const { nodeMemory, nodeMemoryShare } = ASSUMED
  return {
    CPU: (events * event + joins * (join + leave) + sockets * heartbeat / HEARTBEAT) / (ASSUMED.nodeCpu * 1_000_000),
    memory: (emptyMemory + sockets * socketMemory + (rooms + left) * EVENTS_PER_PAYMENT * eventMemory) / (nodeMemory * nodeMemoryShare)
  }
}

/** CPU of the shard with the registry for it alone, as a share of what a shard may use: every node reads the names of all in each beat. */
export function registryShare ({ registry: { beat } }: Cost, nodes: number): number {
  return nodes * nodes * beat.redis / (BEAT_INTERVAL / 1_000) / (ASSUMED.shardCpu * 1_000_000)
}
