// How soon all clients are back that lost their place at once, with a node or with a shard: they come within seconds, and are let in one by one.
import type { Cost } from './cost.js'
import { nodeCpu, redisWork, type Plan } from './reckoning.js'
import { allBackAfter } from './simulation.js'

/** What each node is busy with, as a share of a core. */
function busyOf (cost: Cost, { demand }: Plan, nodes: number): number { return Math.min(0.99, nodeCpu(cost, demand, nodes) / nodes / 1_000_000) }

/** A node is gone, and the others take its clients. @returns when all of them are in, s */
export function backAfterNode (cost: Cost, plan: Plan): number {
  const { demand, nodes: { count } } = plan
  const others = Math.max(1, count - 1)
  return allBackAfter(demand.sockets / count / others, cost.redis.node.join, busyOf(cost, plan, others))
}

/**
 * A replica takes over, and every client of the shard is told to join again. Redis lets them in one by one, and so does each node with its share of them;
 * the slower one counts.
 * @returns when all of them are in, s
 */
export function backAfterShard (cost: Cost, plan: Plan, count = plan.shards.count): number {
  const { demand, nodes, shards } = plan
  const { redis: { node, redis } } = cost
  const clients = demand.sockets / count * shards.hottest
  const busy = redisWork(cost, demand, nodes.count, 'cpu') / count * shards.hottest / 1_000_000
  return Math.max(
    allBackAfter(clients, redis.join.cpu + redis.leave.cpu, busy),
    allBackAfter(clients / nodes.count, node.join + node.leave, busyOf(cost, plan, nodes.count))
  )
}

/** How many shards there must be for that to be over within so many seconds. */
export function shardsToBeBack (cost: Cost, plan: Plan, within: number): number {
  let { shards: { count } } = plan
  while (backAfterShard(cost, plan, count) > within && count < 1_000_000) count = Math.ceil(count * 1.02)
  return count
}
