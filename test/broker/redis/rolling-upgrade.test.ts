// A rolling upgrade from the version whose nodes listened to a channel for each room: nothing that either version acknowledged is lost, and a drained room goes on as it was.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Published } from '../../../src/broker/broker.js'
import { CHECK_INTERVAL } from '../../../src/broker/redis/room-sync.js'
import { draftEvent, fingerprintOf, SEQ } from '../../../src/broker/event-draft.js'
import { ROOT } from '../../../src/root.js'
import { startRedis, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { LOG_SIZE, RETENTION } from '../contract.js'
import { startNode } from './node.js'

type Node = Awaited<ReturnType<typeof startNode>>

/** A node of the version before, as far as Redis sees it: it publishes, reads, and hears the channel of the room. */
async function earlierNode ({ client }: RedisServer, { prefix, key, clock }: Node) {
  const script = (name: string) => readFileSync(join(ROOT, 'test/broker/redis/earlier', `${name}.lua`), 'utf8')
  const room = key('r')
  const start = () => [4, room, `${room}:log`, `${room}:members`, `${room}:outbox`, clock.time, RETENTION, 'earlier.1', `${prefix}:db0:{r}`] as const
  return {
    publish: async (n: number, id: string) => {
      const draft = draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r', n }, id }, { source: 'device', timestamp: 1000 })
      const keys = draft.keys!.flatMap((each) => [each.name, fingerprintOf(draft, each), 0])
      const reply = await client.eval(script('publish'), ...start(), 1, LOG_SIZE, '', draft.jsonPrefix + SEQ, draft.jsonSuffix, 1000, ' earlier ', 'step', 'CLICKED_PAY', '', '', 0, 'device', '', 0, '', 'CLICKED_PAY', '', 0, ...keys)
      const [outcome, epoch, seq] = reply as [string, string, number]
      return { outcome, epoch, seq: Number(seq) }
    },
    position: async () => client.hmget(room, 'epoch', 'seq'),
    readAfter: async (epoch: string, seq: number) => {
      const reply = await client.eval(script('read-room'), ...start(), 1, epoch, seq) as unknown[]
      return { recovered: reply[9] === 1, events: (reply[10] as string[]).map((element) => (JSON.parse(element.slice(element.indexOf('\n') + 1)) as { payload: { n: number } }).payload.n) }
    }
  }
}

t.test('nodes of two versions share rooms', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)

  t.test('a drained room goes on in its log, with its ids', async (t) => {
    const node = await startNode(t, redis.url)
    const earlier = await earlierNode(redis, node)
    const { epoch } = await earlier.publish(1, 'a')
    await earlier.publish(2, 'b')
    // The devices of the earlier node have come over.
    await node.broker.subscribe('r')
    t.match(await node.broker.read('r', { epoch, seq: 1 }), { epoch, seq: 2, recovered: true, entries: { length: 1 } })
    t.match(await node.publish(2, { id: 'b' }), { epoch, seq: 2, duplicate: true })
    t.match(await node.publish(3, { id: 'c' }), { epoch, seq: 3, duplicate: false })
    t.strictSame(node.heard.events, [['r', 3, 3]])
    t.strictSame(node.heard.lost, [])
  })

  t.test('a room with a long log, which Redis keeps longer than its size, goes on under both', async (t) => {
    const node = await startNode(t, redis.url, { logSize: 80 })
    const earlier = await earlierNode(redis, node)
    for (let n = 1; n <= 85; n++) await node.publish(n, { id: `e${n}` })
    const { epoch } = await node.publish(86, { id: 'e86' }) as Published
    t.strictSame(await earlier.publish(87, 'e87'), { outcome: 'NEW', epoch, seq: 87 })
    t.match(await earlier.publish(86, 'e86'), { outcome: 'DUPLICATE', seq: 86 })
    t.strictSame(await earlier.readAfter(epoch, 84), { recovered: true, events: [85, 86, 87] })
    t.match(await node.publish(87, { id: 'e87' }), { seq: 87, duplicate: true })
    t.match(await node.broker.read('r', { epoch, seq: 7 }), { seq: 87, recovered: true, entries: { length: 80 } })
    t.match(await node.broker.read('r', { epoch, seq: 6 }), { recovered: false, entries: { length: 80 } })
  })

  t.test('while both versions run, an event reaches the other one at its next check of positions', async (t) => {
    const node = await startNode(t, redis.url)
    const earlier = await earlierNode(redis, node)
    await node.broker.subscribe('r')
    const { epoch } = await node.publish(1, { id: 'a' }) as Published
    t.strictSame(await earlier.publish(2, 'b'), { outcome: 'NEW', epoch, seq: 2 })
    t.match(await earlier.publish(1, 'a'), { outcome: 'DUPLICATE', seq: 1 })
    t.strictSame(node.heard.events.map(([, , n]) => n), [1])
    await node.pass(CHECK_INTERVAL)
    t.strictSame(node.heard.events.map(([, , n]) => n), [1, 2])
    await earlier.publish(3, 'c')
    // An event of the node itself shows that one before it is missing.
    await node.publish(4, { id: 'd' })
    await node.broker.tick()
    await until('the missing event is delivered', () => node.heard.events.length === 4)
    t.strictSame(node.heard.events.map(([, , n]) => n), [1, 2, 3, 4])
    t.strictSame(node.heard.lost, [])

    t.strictSame(await earlier.position(), [epoch, '4'], 'the earlier node sees that it has missed events')
    t.strictSame(await earlier.readAfter(epoch, 2), { recovered: true, events: [3, 4] })
  })
})
