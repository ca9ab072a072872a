// Tables of docs/scaling.md equal the output of the script for the committed costs, and the calculation is consistent.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readCost, report, SIZES } from '../../bench/capacity.js'
import { ASSUMED, binding, embedded, plan } from '../../bench/reckoning.js'
import { backAfterShard, shardsToBeBack } from '../../bench/recovery.js'
import { allBackAfter, hottestShard, indexAfterDay, restartNode } from '../../bench/simulation.js'
import { ROOT } from '../../src/root.js'
import { seeded } from '../seeded.js'

const cost = readCost()
const growing = [1_000, ...SIZES, 1_000_000_000].sort((a, b) => a - b)

/** Asserts that each figure is at least as large as the one before. */
const rises = (figures: readonly number[]) => figures.every((figure, i) => i === 0 || figure >= figures[i - 1]!)

t.test('the tables in docs/scaling.md equal the output of the capacity script', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/scaling.md'), 'utf8')
  for (const [name, table] of Object.entries(report(cost))) t.ok(page.includes(`\n\n${table}\n\n`), `${name}: npm run bench:capacity, and put its table into docs/scaling.md`)
  t.ok(page.includes(`${cost.about.date}, Node.js ${cost.about.node.slice(1)}, Redis ${cost.about.redis}`), 'the versions and the date match too')
})

t.test('more rooms need more of every resource', async (t) => {
  const plans = growing.map((rooms) => plan(cost, rooms))
  t.ok(rises(plans.map(({ nodes }) => nodes.count)), 'nodes')
  t.ok(rises(plans.map(({ shards }) => shards.count)), 'shards')
  for (const bound of ['CPU', 'memory']) t.ok(rises(growing.map((rooms) => embedded(cost, rooms)[bound]!)), `limit of one node without Redis: ${bound}`)
})

t.test('the plan leaves enough of the scarcest resource on the fullest shard and with one node down', async (t) => {
  for (const rooms of SIZES) {
    const { nodes, shards } = plan(cost, rooms)
    t.ok(nodes.count - ASSUMED.spareNodes >= binding(nodes.bounds)[1], `nodes for ${rooms} rooms`)
    t.ok(shards.count >= binding(shards.bounds)[1] * shards.hottest, `shards for ${rooms} rooms`)
    t.ok(shards.hottest >= 1)
  }
})

t.test('the same costs give the same plan, and higher costs a larger plan', async (t) => {
  t.strictSame(plan(cost, 1_000_000), plan(cost, 1_000_000))
  const { redis: { node, redis } } = cost
  const event = { ...redis.event, cpu: 10 * redis.event.cpu }
  const dearer = { ...cost, redis: { ...cost.redis, node: { ...node, event: 10 * node.event }, redis: { ...redis, event } } }
  t.ok(plan(dearer, 1_000_000).nodes.count > plan(cost, 1_000_000).nodes.count)
  t.ok(plan(dearer, 1_000_000).shards.count > plan(cost, 1_000_000).shards.count)
})

t.test('more rooms spread more evenly over the slots', async (t) => {
  const [few, many] = [hottestShard(1_000, 12, seeded(1)), hottestShard(1_000_000, 12, seeded(1))]
  t.ok(few > many && many >= 1 && many < 1.05, `${few} and ${many}`)
  t.equal(hottestShard(1_000_000, 1, seeded(1)), 1)
  t.ok(hottestShard(100_000_000, 12_000, seeded(1)) > 1.3, 'with one or two slots per shard, some shards hold twice as many as others')
})

t.test('a node that restarts without connections', async (t) => {
  const nodes = 20
  const fewest = restartNode(nodes, 500, 200, 'fewest', seeded(1))
  const two = restartNode(nodes, 500, 200, 'fewer of two', seeded(1))
  t.ok(fewest.comingBack > nodes * 0.9, `receives every new connection when the least loaded node is chosen (${fewest.comingBack} times as many as usual)`)
  t.ok(two.comingBack < 4, `receives about twice as many as usual when the less loaded of two is chosen (${two.comingBack})`)
  t.ok(fewest.evenAfter < two.evenAfter && two.evenAfter < Infinity, 'the recovery takes longer')
  for (const { fullest } of [fewest, two]) t.ok(fullest >= 1 && fullest < 1.1, `the fullest node has ${fullest} of the mean`)
})

t.test('clients that reconnect at the same time', async (t) => {
  t.ok(allBackAfter(100, 100, 0.5) < 2.2, 'a small group joins without waiting')
  t.ok(rises([1_000, 10_000, 100_000].map((clients) => allBackAfter(clients, 500, 0.5))))
  t.ok(Math.abs(allBackAfter(100_000, 100, 0.5) - 20.5) < 1, 'a large group waits for the core that handles the joins')
  const large = plan(cost, 1_000_000)
  t.ok(backAfterShard(cost, large, shardsToBeBack(cost, large, 20)) <= 20)
})

t.test('the sweep cleans the index of rooms for any number of rooms', async (t) => {
  const slow = indexAfterDay(33, 1_260, 900)
  const fast = indexAfterDay(3_300, 1_260, 900)
  for (const entries of [slow, fast]) t.ok(entries >= 0.9 && entries < 1.6, `${entries} entries for a room`)
})
