// Feeds of changes, in memory and in Redis: one order, positions to read from, and gaps that are declared.
import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import type { RoomChange } from '../../src/broker/broker.js'
import { connect } from '../../src/broker/redis/clients.js'
import { FEED_SIZE, isAfter, PAGE_SIZE, type ChangeFeed, type FeedEntry, type FeedPage } from '../../src/changes/feed.js'
import { MemoryFeed } from '../../src/changes/memory-feed.js'
import { RedisFeed } from '../../src/changes/redis-feed.js'
import { newPayment } from '../../src/payment/state.js'
import { Notification } from '../../src/protocol/notifications.js'
import { PaymentState } from '../../src/protocol/payment-state.js'
import { startRedis, withoutRedis } from '../redis.js'
import { until } from '../until.js'

const change = (seq: number, roomId = 'r'): RoomChange =>
  ({ cause: 'event', type: 'CLICKED_PAY', roomId, epoch: 'e', seq, timestamp: 1_795_504_813_040, state: newPayment(1).state, link: { reference: 'order 1' } })
const seqs = (entries: readonly FeedEntry[]) => entries.map(({ text }) => text === undefined ? 'gap' : (JSON.parse(text) as Notification).data.seq)
const page = async (feed: ChangeFeed, after?: string) => await feed.read(after) as FeedPage
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** @param make a feed with nothing in it */
function contract (t: Test, make: (t: Test) => Promise<ChangeFeed>): void {
  t.test('a page has the changes after a position, as notifications', async (t) => {
    const feed = await make(t)
    const start = await page(feed)
    t.match(start, { isComplete: true, entries: [] })
    t.match(await page(feed, start.end), { isComplete: true, entries: [] })
    for (const seq of [1, 2, 3]) feed.push(change(seq))
    await until('the changes are there', async () => (await page(feed)).end !== start.end)
    await until('all of them', async () => (await page(feed, start.end)).entries.length === 3)
    const { entries, end } = await page(feed, start.end)
    t.strictSame(seqs(entries), [1, 2, 3])
    t.equal(entries[2]!.id, end)
    t.equal(end, (await page(feed)).end)
    t.strictSame(seqs((await page(feed, entries[0]!.id)).entries), [2, 3])
    t.ok(Value.Check(Notification, [PaymentState], JSON.parse(entries[0]!.text!)))
    t.match(JSON.parse(entries[0]!.text!), { type: 'payment.progressed', timestamp: '2026-11-24T07:20:13.040Z', data: { roomId: 'r', reference: 'order 1', epoch: 'e', state: { status: 'pending' } } })
    for (const [i, { id }] of entries.entries()) t.ok(i === 0 || isAfter(id, entries[i - 1]!.id))
  })

  t.test('a position that the feed does not have, or no longer, is not complete', async (t) => {
    const feed = await make(t)
    feed.push(change(1))
    await until('the change is there', async () => (await page(feed)).end !== '0-0')
    const { end } = await page(feed)
    for (const position of ['', 'x', '1', '5-5', '9999999999999-1', `${end}0`, `${end} `, '-1-1']) t.match(await page(feed, position), { isComplete: false, entries: [], end }, position)
    // Redis trims whole nodes of its stream, of a hundred entries.
    for (let pushed = 1; pushed < FEED_SIZE + 200; pushed += 100) {
      for (const seq of numbers(pushed + 1, pushed + 100)) feed.push(change(seq))
      await page(feed)
    }
    t.match(await page(feed, end), { isComplete: false })
  })

  t.test('pages are bounded', async (t) => {
    const feed = await make(t)
    const { end: start } = await page(feed)
    for (const seq of numbers(1, PAGE_SIZE + 10)) feed.push(change(seq))
    const read = async () => {
      const first = await page(feed, start)
      return [...first.entries, ...(await page(feed, first.end)).entries]
    }
    await until('all are there', async () => (await read()).length === PAGE_SIZE + 10)
    t.equal((await page(feed, start)).entries.length, PAGE_SIZE)
    t.strictSame(seqs(await read()), numbers(1, PAGE_SIZE + 10))
  })

  t.test('a follower gets each change in order, until it stops', async (t) => {
    const feed = await make(t)
    const [one, two]: [FeedEntry[], FeedEntry[]] = [[], []]
    const stopOne = await feed.follow((entry) => one.push(entry)) as () => void
    await feed.follow((entry) => two.push(entry))
    for (const seq of [1, 2, 3]) feed.push(change(seq))
    await until('the followers have them', () => one.length === 3 && two.length === 3)
    t.strictSame(seqs(one), [1, 2, 3])
    t.strictSame(two, (await page(feed, one[0]!.id)).entries.length === 2 ? one : [])
    stopOne()
    feed.push(change(4))
    await until('the other follower has it', () => two.length === 4)
    t.equal(one.length, 3)
  })
}

t.test('in memory', async (t) => {
  contract(t, async () => new MemoryFeed(1_000_000))

  t.test('a position of an earlier process is not complete', async (t) => {
    const [before, after] = [new MemoryFeed(1_000_000), new MemoryFeed(1_000_001)]
    for (const feed of [before, after]) for (const seq of [1, 2, 3]) feed.push(change(seq))
    t.match(after.read(before.read().end), { isComplete: false })
    before.pushGap()
    t.equal(before.read().end, '1000000-3', 'a process knows all its changes')
  })
})

t.test('in Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  let count = 0
  const node = async (t: Test, key = `test{${++count}}`) => {
    const connection = connect(redis.url)
    for (const client of connection.clients) client.on('error', () => { /* the test stops Redis */ })
    const feed = new RedisFeed({ connection, key })
    t.teardown(() => {
      feed.close()
      connection.close()
    })
    await until('the connection is ready', () => connection.commands.status === 'ready')
    return { feed, key, connection }
  }
  contract(t, async (t) => (await node(t)).feed)

  t.test('all nodes have the same feed', async (t) => {
    const { feed: a, key } = await node(t)
    const { feed: b } = await node(t, key)
    const [onA, onB]: [FeedEntry[], FeedEntry[]] = [[], []]
    await a.follow((entry) => onA.push(entry))
    await b.follow((entry) => onB.push(entry))
    for (const seq of numbers(1, 50)) (seq % 2 ? a : b).push(change(seq))
    await until('both have all', () => onA.length === 50 && onB.length === 50)
    t.strictSame(onA, onB)
    t.strictSame([...seqs(onA)].sort((x, y) => Number(x) - Number(y)), numbers(1, 50))
  })

  t.test('a follower whose connection is cut misses nothing', async (t) => {
    const { feed } = await node(t)
    const entries: FeedEntry[] = []
    await feed.follow((entry) => entries.push(entry))
    feed.push(change(1))
    await until('the first change', () => entries.length === 1)
    await until('the reader is blocked', async () => (await redis.client.client('LIST') as string).includes('cmd=xread'))
    const [, id] = /^id=(\d+) .*cmd=xread/m.exec(await redis.client.client('LIST') as string)!
    await redis.client.client('KILL', 'ID', id!)
    for (const seq of numbers(2, 20)) feed.push(change(seq))
    await until('the follower reads again', () => entries.length === 20)
    t.strictSame(seqs(entries), numbers(1, 20))
  })

  t.test('a refused read is a failure', async (t) => {
    const { feed, key } = await node(t)
    await redis.client.set(key, 'a text')
    t.match(await feed.read(), { code: 'UNAVAILABLE' })
  })

  t.test('after a loss the feed declares a gap, once Redis is back', async (t) => {
    const { feed: a, key, connection } = await node(t)
    const { feed: b } = await node(t, key)
    const entries: FeedEntry[] = []
    await b.follow((entry) => entries.push(entry))
    a.push(change(1))
    await until('the first change', () => entries.length === 1)
    await redis.kill()
    await until('the loss is noticed', async () => 'code' in await a.read() && 'code' in await b.read('1-1'))
    t.match(await a.follow(() => {}), { code: 'UNAVAILABLE' })
    // In this order: one change is lost on its way, one is not sent at all.
    a.push(change(2))
    await until('the connection is down', () => connection.commands.status !== 'ready')
    a.push(change(2))
    await redis.start()
    await until('a gap is declared', () => seqs(entries).includes('gap'), 10_000)
    await until('a change follows', async () => {
      a.push(change(3))
      return seqs(entries).at(-1) === 3
    })
    t.notOk(seqs(entries).includes(2))
    a.pushGap()
    await until('a gap by another cause', () => seqs(entries).at(-1) === 'gap')
    t.match((await page(a, entries.at(-2)!.id)).entries, [{ text: undefined }], 'the gap has a place in the feed')
  })
})

t.test('a feed goes on where a saved one has stopped', async (t) => {
  for (const count of [0, 3, FEED_SIZE + 5]) {
    const feed = new MemoryFeed(1)
    for (const seq of numbers(1, count)) feed.push({ ...change(seq), webhookUrl: 'https://shop.example/' })
    const saved = JSON.parse(JSON.stringify(feed.save())) as ReturnType<typeof feed.save>
    t.notMatch(JSON.stringify(saved.changes[0] ?? {}), /shop\.example/)
    const next = new MemoryFeed(2, saved)
    t.strictSame(next.read(), feed.read())
    const after = `1-${Math.max(0, count - 2)}`
    t.strictSame(next.read(after), feed.read(after))
    for (const one of [feed, next]) one.push(change(count + 1))
    t.strictSame(next.read(after), feed.read(after))
    t.strictSame(seqs(next.read(`1-${count}`).entries), [count + 1])
    t.equal(next.read(`1-${Math.max(0, count + 1 - FEED_SIZE)}`).isComplete, true)
    t.equal(next.read(`1-${count - FEED_SIZE}`).isComplete, false)
  }
})
