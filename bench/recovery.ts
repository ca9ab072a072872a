// Recovery time of all clients that lose their connection at once, with a node or with a shard: they reconnect within seconds and join one by one.
import type { Cost } from './cost.js'
import { nodeCpu, redisWork, type Plan } from './reckoning.js'
import { allBackAfter } from './simulation.js'

/** Returns the usual load of each node, as a share of a core. */
function busyOf (cost: Cost, { demand }: Plan, nodes: number): number { return Math.min(0.99, nodeCpu(cost, demand, nodes) / nodes / 1_000_000) }

/** A node is lost, and the others take its clients. @returns time until all of them have joined, s */
export function backAfterNode (cost: Cost, plan: Plan): number {
  const { demand, nodes: { count } } = plan
  const others = Math.max(1, count - 1)
  return allBackAfter(demand.sockets / count / others, cost.redis.node.join, busyOf(cost, plan, others))
}

/**
 * A replica takes over, and every client of the shard joins again. Redis processes the joins one by one, and so does each node with its share of the
 * clients; the slower one counts.
 * @returns time until all of them have joined, s
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

/** Returns the number of shards with which the recovery takes at most so many seconds. */
export function shardsToBeBack (cost: Cost, plan: Plan, within: number): number {
  let { shards: { count } } = plan
  while (backAfterShard(cost, plan, count) > within && count < 1_000_000) count = Math.ceil(count * 1.02)
  return count
}
