// Capacity report: nodes and shards for three sizes, the costs that grow faster than the number of rooms, and the limits in the order in which they are
// reached. `npm run bench:capacity` reads bench/cost.json and prints the tables of docs/scaling.md.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHECK_INTERVAL } from '../src/broker/redis/room-sync.js'
import { ROOT } from '../src/root.js'
import { seeded } from '../test/seeded.js'
import type { Cost } from './cost.js'
import { ASSUMED, binding, demandOf, embedded, plan, planNodes, redisWork, registryShare, RETENTION, roomMemory, SEED, shardBounds, type Plan } from './reckoning.js'
import { backAfterNode, backAfterShard, shardsToBeBack } from './recovery.js'
import { indexAfterDay, restartNode, type Policy, type Restart } from './simulation.js'
import type { RedisWork } from './stage.js'

export const SIZES = [10_000, 1_000_000, 100_000_000] as const

/** Default of `maxclients` in Redis. */
const MAX_CLIENTS = 10_000
/** Shards up to which the Redis Cluster specification aims at "high performance and linear scalability". */
const MAX_CLUSTER = 1_000
/** Connections of a node to each shard: one for commands and one for the channels. */
const CONNECTIONS = 2
/** Nodes, and sockets on each, in the simulation of a restart. */
const [PLAYED_NODES, PLAYED_SOCKETS] = [100, 1_000]
/** Time after a failover within which all clients should be back, s. */
const BACK = 20

export function readCost (): Cost { return JSON.parse(readFileSync(join(ROOT, 'bench/cost.json'), 'utf8')) as Cost }

const digits = (value: number, count = 2): string => Number(value.toPrecision(count)).toLocaleString('en', { maximumFractionDigits: 3 })
const whole = (value: number): string => Math.round(value).toLocaleString('en')
const percent = (share: number): string => `${digits(share * 100)} %`

type Row = readonly string[]

function table (head: Row, rows: readonly Row[]): string { return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n') }

/** Formats a table with a row for each figure and a column for each size. */
function bySize (plans: readonly Plan[], rows: ReadonlyArray<readonly [name: string, figure: (plan: Plan) => string]>): string {
  return table(['Rooms in use', ...plans.map(({ demand }) => whole(demand.rooms))], rows.map(([name, figure]) => [name, ...plans.map(figure)]))
}

/** Returns the table of the measured costs, in the order of a payment. */
export function costs ({ embedded, redis: { node, redis, memory }, registry: { event, beat, index } }: Cost): string {
  const work = ({ cpu, commands, bytesIn, bytesOut }: RedisWork) => `${digits(cpu, 3)} µs, ${digits(commands, 3)} commands, ${digits(bytesIn, 3)} B in, ${digits(bytesOut, 3)} B out`
  const kib = (bytes: number) => `${digits(bytes / 1024, 3)} KiB`
  return table(['', 'Node without Redis', 'Node over Redis', 'Redis'], [
    ['A socket connects and joins', `${digits(embedded.join, 3)} µs`, `${digits(node.join, 3)} µs`, work(redis.join)],
    ['An event with an `id`, to one watcher', `${digits(embedded.event, 3)} µs`, `${digits(node.event, 3)} µs`, work(redis.event)],
    ['A socket leaves', `${digits(embedded.leave, 3)} µs`, `${digits(node.leave, 3)} µs`, work(redis.leave)],
    ['A ping and its pong', `${digits(embedded.heartbeat, 3)} µs`, 'the same', '–'],
    ['A second of a room on a node', '–', `${digits(node.second, 3)} µs`, work(redis.second)],
    ['A room is kept from its end', '–', `${digits(node.renewal, 3)} µs`, work(redis.renewal)],
    ['Memory of an idle socket', kib(embedded.socketMemory), kib(node.socketMemory), '–'],
    ['Memory of an event', kib(embedded.eventMemory), '–', kib(memory.event)],
    ['Memory of a room with 8 events; once all have left', '–', '–', `${kib(memory.room)}; ${kib(memory.left)}`],
    ['Each further node: to an event', '–', `${digits(event.node, 3)} µs`, `${digits(event.redis, 3)} µs, ${digits(event.bytesIn, 3)} B in`],
    ['Each further node: to a sign of life', '–', '–', `${digits(beat.redis, 3)} µs, ${digits(beat.bytesOut, 3)} B out`],
    ['A room is added to the index', '–', '–', `${digits(index.redis, 3)} µs, ${digits(index.memory, 3)} B of memory`],
    ['Memory of an empty process', `${whole(embedded.emptyMemory / 2 ** 20)} MiB`, '–', '–']
  ])
}

export function needs (cost: Cost, plans: readonly Plan[]): string {
  return bySize(plans, [
    ['Sockets', ({ demand }) => whole(demand.sockets)],
    ['Events per second', ({ demand }) => digits(demand.events)],
    ['Joins per second', ({ demand }) => digits(demand.joins)],
    ['Rooms kept after their end', ({ demand }) => digits(demand.left)],
    ['One node without Redis: CPU, memory used', ({ demand }) => Object.values(embedded(cost, demand.rooms)).map(percent).join(', ')],
    ['Nodes by CPU', ({ nodes }) => digits(nodes.bounds.CPU!)],
    ['Nodes by memory', ({ nodes }) => digits(nodes.bounds.memory!)],
    ['**Nodes**, one spare', ({ nodes }) => `**${whole(nodes.count)}** (${binding(nodes.bounds)[0]})`],
    ['Shards by CPU', ({ shards }) => digits(shards.bounds.CPU!)],
    ['Shards by memory', ({ shards }) => digits(shards.bounds.memory!)],
    ['Shards by network', ({ shards }) => digits(shards.bounds.network!)],
    ['Fullest shard, of the mean', ({ shards }) => digits(shards.hottest, 3)],
    ['**Shards**, each with a replica', ({ shards }) => `**${whole(shards.count)}** (${binding(shards.bounds)[0]})`],
    ['Memory of the rooms in Redis, GB', ({ demand }) => digits(roomMemory(cost, demand) / 1e9)]
  ])
}

export function growth (cost: Cost, plans: readonly Plan[]): string {
  const { redis: { redis }, registry } = cost
  return bySize(plans, [
    ['Signs of life: share of one shard (nodes × nodes)', ({ nodes }) => percent(registryShare(cost, nodes.count))],
    ['Names of the nodes in an event: bytes to Redis', ({ nodes }) => `${digits(nodes.count * registry.event.bytesIn)} on ${digits(redis.event.bytesIn)}`],
    ['the same: CPU of Redis, µs', ({ nodes }) => `${digits(nodes.count * registry.event.redis)} on ${digits(redis.event.cpu)}`],
    ['Index of rooms: additions per second to one shard', ({ demand }) => digits(demand.begins + demand.sockets / (RETENTION / 4))],
    ['the same: share of that shard', ({ demand }) => percent(indexShare(cost, demand.rooms))],
    ['Index after a day, of the rooms that exist', ({ demand }) => digits(indexSize(demand.rooms))],
    ['Position checks per second', ({ demand }) => digits(demand.sockets / (CHECK_INTERVAL / 1_000))],
    ['the same: share of all work of Redis', ({ demand, nodes }) => percent(demand.sockets * redis.second.cpu / redisWork(cost, demand, nodes.count, 'cpu'))],
    ['Announcements of members per second', ({ demand }) => digits(3 * demand.joins)],
    ['Connections to one shard', ({ nodes }) => whole(nodes.count * CONNECTIONS)],
    ['Connections of one node to Redis', ({ shards }) => whole(shards.count * CONNECTIONS)]
  ])
}

export function restarts (cost: Cost, plans: readonly Plan[]): string {
  const join = cost.redis.node.join / 1_000_000
  const played = new Map(plans.map((plan) => [plan, {
    fewest: play(plan, 'fewest'),
    two: play(plan, 'fewer of two')
  }]))
  /** Returns the share of a node's core that is spent on joins, at a multiple of their usual rate. */
  const busy = ({ demand, nodes: { count } }: Plan, times: number) => percent(times * demand.joins / count * join)
  return bySize(plans, [
    ['Sockets on a node', ({ demand, nodes }) => digits(demand.sockets / nodes.count)],
    ['Joins usually: share of a core', (plan) => busy(plan, 1)],
    ['Others, while a node is away: share of a core', (plan) => busy(plan, played.get(plan)!.fewest.takingOver)],
    ['It comes back empty, `least_conn`: share of a core', (plan) => busy(plan, played.get(plan)!.fewest.comingBack)],
    ['the same, `random two least_conn`', (plan) => busy(plan, played.get(plan)!.two.comingBack)],
    ['It has nine tenths of the mean after: `least_conn`', (plan) => `${played.get(plan)!.fewest.evenAfter} s`],
    ['the same, `random two least_conn`', (plan) => `${played.get(plan)!.two.evenAfter} s`],
    ['Fullest node in calm times, of the mean: `least_conn`', (plan) => digits(played.get(plan)!.fewest.fullest, 4)],
    ['the same, `random two least_conn`', (plan) => digits(played.get(plan)!.two.fullest, 4)],
    ['A node is lost: all its clients are back after', (plan) => `${digits(backAfterNode(cost, plan))} s`],
    ['A shard fails over: all its clients are back after', (plan) => `${digits(backAfterShard(cost, plan))} s`],
    [`Shards for that within ${BACK} s`, (plan) => digits(shardsToBeBack(cost, plan, BACK))]
  ])
}

/** Returns the table of the limits, by the number of rooms at which each is reached, and the remedy for each. */
export function limits (cost: Cost): string {
  const nodesFor = (rooms: number) => planNodes(cost, demandOf(rooms)).count
  const shardsFor = (rooms: number) => binding(shardBounds(cost, demandOf(rooms), nodesFor(rooms)))[1]
  const { redis: { redis }, registry } = cost
  const ends: ReadonlyArray<readonly [what: string, isOver: (rooms: number) => boolean, move: string]> = [
    ['One node without Redis is full', (rooms) => binding(embedded(cost, rooms))[1] > 1, 'a shorter `ROOM_RETENTION_SECONDS`; Redis and a second node'],
    ['One Redis is full', (rooms) => shardsFor(rooms) > 1, 'a cluster'],
    ['The index takes a whole shard', (rooms) => indexShare(cost, rooms) > 1, 'an index on each shard'],
    ['The names of the nodes double the bytes of an event', (rooms) => nodesFor(rooms) * registry.event.bytesIn > redis.event.bytesIn, 'members counted without the list: a lease in their hash'],
    ['The names of the nodes double an event’s CPU in Redis', (rooms) => nodesFor(rooms) * registry.event.redis > redis.event.cpu, 'the same'],
    ['The signs of life take a whole shard', (rooms) => registryShare(cost, nodesFor(rooms)) > 1, 'a longer beat; reading only what changed'],
    ['A shard has more connections than `maxclients`', (rooms) => nodesFor(rooms) * CONNECTIONS > MAX_CLIENTS, '`maxclients`; cells'],
    ['More shards than a Redis Cluster is made for', (rooms) => shardsFor(rooms) > MAX_CLUSTER, 'cells: deployments of their own, named in the link']
  ]
  const found = ends.map(([what, isOver, move]) => ({ what, at: firstOver(isOver), move })).sort((a, b) => a.at - b.at)
  return table(['From so many rooms in use', 'What ends', 'What moves it'], found.map(({ what, at, move }) => [digits(at), what, move]))
}

function play ({ nodes: { count } }: Plan, policy: Policy): Restart {
  return restartNode(Math.min(count, PLAYED_NODES), PLAYED_SOCKETS, lifeOf(), policy, seeded(SEED))
}

/** Returns the mean lifetime of a socket, s: the payment, less what the reconnects take off. */
function lifeOf (): number { return ASSUMED.payment * ASSUMED.sockets / (ASSUMED.sockets + ASSUMED.reconnects) }

function indexSize (rooms: number): number { return indexAfterDay(demandOf(rooms).begins, ASSUMED.payment + RETENTION + 60, RETENTION) }

/** Returns the CPU that the index of rooms takes on its shard, as a share of what a shard may use. */
function indexShare ({ registry: { index } }: Cost, rooms: number): number {
  const { begins, sockets } = demandOf(rooms)
  return (begins + sockets / (RETENTION / 4)) * index.redis / (ASSUMED.shardCpu * 1_000_000)
}

/** Returns the smallest number of rooms, to two digits, at which the limit is exceeded. */
function firstOver (isOver: (rooms: number) => boolean): number {
  let [from, to] = [Math.log(1_000), Math.log(1e10)]
  while (to - from > 0.005) {
    const middle = (from + to) / 2
    if (isOver(Math.round(Math.exp(middle)))) to = middle
    else from = middle
  }
  return Math.exp(to)
}

/** Returns all tables of the report. */
export function report (cost: Cost): Record<'costs' | 'needs' | 'growth' | 'restarts' | 'limits', string> {
  const plans = SIZES.map((rooms) => plan(cost, rooms))
  return { costs: costs(cost), needs: needs(cost, plans), growth: growth(cost, plans), restarts: restarts(cost, plans), limits: limits(cost) }
}

if (process.argv[1] === import.meta.filename) console.log(Object.values(report(readCost())).join('\n\n'))
