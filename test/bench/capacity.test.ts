// What docs/scaling.md says is what the script reckons from the committed costs; and the reckoning holds together.
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

/** Each figure is at least as large as the one before. */
const rises = (figures: readonly number[]) => figures.every((figure, i) => i === 0 || figure >= figures[i - 1]!)

t.test('the tables in the documentation are those that the script prints', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/scaling.md'), 'utf8')
  for (const [name, table] of Object.entries(report(cost))) t.ok(page.includes(`\n\n${table}\n\n`), `${name}: npm run bench:capacity, and put its table into docs/scaling.md`)
  t.ok(page.includes(`${cost.about.date}, Node.js ${cost.about.node.slice(1)}, Redis ${cost.about.redis}`), 'and so are the versions and the date')
})

t.test('more rooms need more of everything', async (t) => {
  const plans = growing.map((rooms) => plan(cost, rooms))
  t.ok(rises(plans.map(({ nodes }) => nodes.count)), 'nodes')
  t.ok(rises(plans.map(({ shards }) => shards.count)), 'shards')
  for (const bound of ['CPU', 'memory']) t.ok(rises(growing.map((rooms) => embedded(cost, rooms)[bound]!)), `of one node without Redis: ${bound}`)
})

t.test('there is enough for what is used up first, on the fullest shard and with a node away', async (t) => {
  for (const rooms of SIZES) {
    const { nodes, shards } = plan(cost, rooms)
    t.ok(nodes.count - ASSUMED.spareNodes >= binding(nodes.bounds)[1], `nodes for ${rooms} rooms`)
    t.ok(shards.count >= binding(shards.bounds)[1] * shards.hottest, `shards for ${rooms} rooms`)
    t.ok(shards.hottest >= 1)
  }
})

t.test('the same costs give the same plan, and higher ones a larger', async (t) => {
  t.strictSame(plan(cost, 1_000_000), plan(cost, 1_000_000))
  const { redis: { node, redis } } = cost
  const event = { ...redis.event, cpu: 10 * redis.event.cpu }
  const dearer = { ...cost, redis: { ...cost.redis, node: { ...node, event: 10 * node.event }, redis: { ...redis, event } } }
  t.ok(plan(dearer, 1_000_000).nodes.count > plan(cost, 1_000_000).nodes.count)
  t.ok(plan(dearer, 1_000_000).shards.count > plan(cost, 1_000_000).shards.count)
})

t.test('the more rooms there are, the more evenly they fall on the slots', async (t) => {
  const [few, many] = [hottestShard(1_000, 12, seeded(1)), hottestShard(1_000_000, 12, seeded(1))]
  t.ok(few > many && many >= 1 && many < 1.05, `${few} and ${many}`)
  t.equal(hottestShard(1_000_000, 1, seeded(1)), 1)
  t.ok(hottestShard(100_000_000, 12_000, seeded(1)) > 1.3, 'where a shard has a slot or two, some have twice as much')
})

t.test('a node that comes back empty', async (t) => {
  const nodes = 20
  const fewest = restartNode(nodes, 500, 200, 'fewest', seeded(1))
  const two = restartNode(nodes, 500, 200, 'fewer of two', seeded(1))
  t.ok(fewest.comingBack > nodes * 0.9, `gets every newcomer where the one with the fewest is chosen (${fewest.comingBack} times as many as usual)`)
  t.ok(two.comingBack < 4, `and about twice as many as usual where the better of two is (${two.comingBack})`)
  t.ok(fewest.evenAfter < two.evenAfter && two.evenAfter < Infinity, 'which takes longer')
  for (const { fullest } of [fewest, two]) t.ok(fullest >= 1 && fullest < 1.1, `the fullest node has ${fullest} of the mean`)
})

t.test('clients that lost their place together', async (t) => {
  t.ok(allBackAfter(100, 100, 0.5) < 2.2, 'few of them are in as soon as they come')
  t.ok(rises([1_000, 10_000, 100_000].map((clients) => allBackAfter(clients, 500, 0.5))))
  t.ok(Math.abs(allBackAfter(100_000, 100, 0.5) - 20.5) < 1, 'many wait for the core that lets them in')
  const large = plan(cost, 1_000_000)
  t.ok(backAfterShard(cost, large, shardsToBeBack(cost, large, 20)) <= 20)
})

t.test('the index of rooms is kept clean, however many there are', async (t) => {
  const slow = indexAfterDay(33, 1_260, 900)
  const fast = indexAfterDay(3_300, 1_260, 900)
  for (const entries of [slow, fast]) t.ok(entries >= 0.9 && entries < 1.6, `${entries} entries for a room`)
})
