// Capacity model: the demand of a number of payments, its cost by bench/cost.json, and the nodes and shards required by the resource that runs out first.
import { BEAT_INTERVAL } from '../src/broker/redis/nodes.js'
import { ConfigSchema } from '../src/config.js'
import { seeded } from '../test/seeded.js'
import type { Cost } from './cost.js'
import { EVENTS_PER_PAYMENT } from './devices.js'
import { hottestShard } from './simulation.js'
import type { RedisWork } from './stage.js'

/** Assumptions, which are not measured. Each has its reason; the documentation has the same list. */
export const ASSUMED = {
  /** Sockets of a payment: one watches and one pays. They are on different nodes, as nearly always with many nodes: the most expensive case. */
  sockets: 2,
  /** Duration of a payment, s: a payer reads, fills in a form, and looks for a card. */
  payment: 300,
  /** Reconnects of a payment: a phone goes to the bank's app and comes back, which is one more leave and join. */
  reconnects: 1,
  /** Share of one core, since a node is one thread: the other half is for clients that reconnect after a restart. */
  nodeCpu: 0.5,
  /** Share of one core. Less than for a node: a shard cannot be relieved within a second. */
  shardCpu: 0.4,
  /** Memory of a node, bytes, and the share that may be in use: the rest is for garbage, and for the send queues of slow sockets. */
  nodeMemory: 2 * 2 ** 30,
  nodeMemoryShare: 0.7,
  /** CPU time of Redis in a cluster, times that of one server: a call is for one room there, and not for those of a whole turn (`npm run bench:shards`). */
  clusterCpu: 2,
  /** Memory of a shard, bytes, and the share that may be in use: the other half is for the copy of an AOF rewrite or of a new replica, and for buffers. */
  shardMemory: 8 * 2 ** 30,
  shardMemoryShare: 0.5,
  /** Bytes per second in either direction: half of one Gbit/s. */
  shardNetwork: 62_500_000,
  /** Spare nodes: one may be away, for a restart or for good. Each shard has a replica, which takes over and does no work before. */
  spareNodes: 1
} as const

const SETTING = ConfigSchema.properties
export const RETENTION = SETTING.ROOM_RETENTION_SECONDS.default as number
const HEARTBEAT = SETTING.HEARTBEAT_SECONDS.default as number
/** Time after a room's end when Redis deletes the room (`margin` in src/broker/redis/lua/room.lua), s. */
const MARGIN = 60
/** Time between two extensions of a room's expiry, s. */
const RENEWAL = RETENTION / 4
/** Seed of the simulations (hash slots, order and sockets): another seed gives another sample. */
export const SEED = 1

/** Demand of a number of rooms in use; rates are per second. */
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
    /** Rooms that are kept without members. */
    left: begins * (RETENTION + MARGIN)
  }
}

/** Number of nodes or shards that each resource requires: not rounded, and without spare ones. */
export type Bounds = Readonly<Record<string, number>>

export interface Plan {
  readonly demand: Demand
  readonly nodes: { readonly bounds: Bounds, readonly count: number }
  /** `hottest` is the load of the fullest shard, as a multiple of the mean. */
  readonly shards: { readonly bounds: Bounds, readonly hottest: number, readonly count: number }
}

/** Returns the resource that runs out first, and the number of nodes or shards that it requires. */
export function binding (bounds: Bounds): [name: string, count: number] { return Object.entries(bounds).reduce((most, bound) => bound[1] > most[1] ? bound : most) }

/** Returns the CPU time of all nodes, µs per second. @param nodes number of nodes: each event carries the names of all */
export function nodeCpu (cost: Cost, { events, joins, sockets }: Demand, nodes: number): number {
  const { embedded: { heartbeat }, redis: { node }, registry } = cost
  return events * (node.event + nodes * registry.event.node) + joins * (node.join + node.leave) + sockets * (heartbeat / HEARTBEAT + node.second + node.renewal / RENEWAL)
}

/** Returns the work of Redis of one kind, per second. */
export function redisWork (cost: Cost, { events, joins, sockets }: Demand, nodes: number, kind: keyof RedisWork): number {
  const { redis: { redis }, registry: { event } } = cost
  const listed = kind === 'cpu' ? event.redis : kind === 'bytesIn' ? event.bytesIn : 0
  return events * (redis.event[kind] + nodes * listed) + joins * (redis.join[kind] + redis.leave[kind]) + sockets * (redis.second[kind] + redis.renewal[kind] / RENEWAL)
}

/** Returns the memory of the rooms in Redis, bytes. */
export function roomMemory ({ redis: { memory } }: Cost, { rooms, left }: Demand): number { return rooms * memory.room + left * memory.left }

/** Returns the number of nodes for a demand, over Redis. */
export function planNodes (cost: Cost, demand: Demand): Plan['nodes'] {
  const { nodeMemory, nodeMemoryShare, spareNodes } = ASSUMED
  const boundsWith = (nodes: number) => ({
    CPU: nodeCpu(cost, demand, nodes) / (ASSUMED.nodeCpu * 1_000_000),
    memory: demand.sockets * cost.redis.node.socketMemory / (nodeMemory * nodeMemoryShare - cost.embedded.emptyMemory)
  })
  const count = settle((nodes) => Math.ceil(binding(boundsWith(nodes))[1]) + spareNodes)
  return { bounds: boundsWith(count), count }
}

/** Returns the number of shards that each resource requires, if all shards were equally full. */
export function shardBounds (cost: Cost, demand: Demand, nodes: number): Bounds {
  const { shardMemory, shardMemoryShare, shardNetwork, clusterCpu } = ASSUMED
  const cpu = redisWork(cost, demand, nodes, 'cpu') / (ASSUMED.shardCpu * 1_000_000)
  return {
    CPU: cpu <= 1 ? cpu : cpu * clusterCpu,
    memory: roomMemory(cost, demand) / (shardMemory * shardMemoryShare),
    network: Math.max(redisWork(cost, demand, nodes, 'bytesIn'), redisWork(cost, demand, nodes, 'bytesOut')) / shardNetwork
  }
}

/** Returns the nodes and shards for a number of rooms, over Redis. */
export function plan (cost: Cost, rooms: number): Plan {
  const demand = demandOf(rooms)
  const nodes = planNodes(cost, demand)
  const bounds = shardBounds(cost, demand, nodes.count)
  const [, most] = binding(bounds)
  // As many shards as the fullest one requires; a different count has a different fullest shard.
  const count = settle((shards) => Math.ceil(most * hottestShard(rooms, shards, seeded(SEED))))
  return {
    demand,
    nodes,
    shards: { bounds, hottest: Number.isFinite(count) ? hottestShard(rooms, count, seeded(SEED)) : Infinity, count }
  }
}

/** Returns the first count that covers the need which this count causes. */
function settle (needed: (count: number) => number): number {
  let count = 1
  for (let next = needed(count); next > count; next = needed(count)) {
    // Each node or shard that is added costs more than it can do.
    if (next > 1_000_000) return Infinity
    count = next
  }
  return count
}

/** Returns the load of one node without Redis, as shares of what it may use. */
export function embedded ({ embedded: { join, leave, event, heartbeat, socketMemory, eventMemory, emptyMemory } }: Cost, rooms: number): Bounds {
  const { events, joins, sockets, left } = demandOf(rooms)
  const { nodeMemory, nodeMemoryShare } = ASSUMED
  return {
    CPU: (events * event + joins * (join + leave) + sockets * heartbeat / HEARTBEAT) / (ASSUMED.nodeCpu * 1_000_000),
    memory: (emptyMemory + sockets * socketMemory + (rooms + left) * EVENTS_PER_PAYMENT * eventMemory) / (nodeMemory * nodeMemoryShare)
  }
}

/** Returns the CPU that the registry takes on its shard, as a share of what a shard may use: each node reads the names of all in each heartbeat. */
export function registryShare ({ registry: { beat } }: Cost, nodes: number): number {
  return nodes * nodes * beat.redis / (BEAT_INTERVAL / 1_000) / (ASSUMED.shardCpu * 1_000_000)
}
