// Size of a room's log: Redis may keep a few events more than readers see, since dropping them together is cheaper.
import t from 'tap'
import type { Published } from '../../../src/broker/broker.js'
import { Failure } from '../../../src/errors.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { startNode } from './node.js'

const LOG_SIZE = 40
/** Events that Redis may keep beyond the log size. */
const SLACK = 5

t.test('the log of a room', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const started = async (t: Parameters<typeof startNode>[0], { logSize = LOG_SIZE, prefix }: { logSize?: number, prefix?: string } = {}) => {
    const node = await startNode(t, redis.url, { logSize, ...(prefix !== undefined && { prefix }) })
    const readAfter = async (seq: number, epoch?: string) => {
      const view = await node.broker.read('r', { seq, epoch })
      if (view instanceof Failure) throw new Error(view.code)
      return { recovered: view.recovered, seqs: view.entries.map((entry) => entry.seq) }
    }
    return { ...node, readAfter, lengthOf: () => redis.client.llen(`${node.key('r')}:log`), keysOf: async () => (await redis.client.hkeys(node.key('r'))).filter((field) => field.startsWith('k:')).length }
  }

  t.test('readers see no more than the log size, and Redis keeps at most an eighth more', async (t) => {
    const { publish, readAfter, lengthOf, keysOf } = await started(t)
    const lengths = []
    for (let n = 1; n <= LOG_SIZE + 3 * SLACK; n++) {
      const { epoch } = await publish(n, { id: `e${n}` }) as Published
      const length = await lengthOf()
      lengths.push(length)
      t.equal(await keysOf(), length, 'the id of an event is forgotten with it')
      const visible = Array.from({ length: Math.min(n, LOG_SIZE) }, (_, i) => Math.max(n - LOG_SIZE, 0) + 1 + i)
      const oldest = visible[0]! - 1
      t.strictSame(await readAfter(oldest, epoch), { recovered: true, seqs: visible })
      t.strictSame(await readAfter(n, epoch), { recovered: true, seqs: [] })
      if (oldest > 0) t.strictSame(await readAfter(oldest - 1, epoch), { recovered: false, seqs: visible }, 'a dropped event and one that waits for it are the same')
    }
    t.equal(Math.max(...lengths), LOG_SIZE + SLACK)
    t.equal(lengths.at(-1), LOG_SIZE + 3, 'several were dropped together')
  })

  t.test('a log that is longer than its size is now becomes shorter with each event', async (t) => {
    const long = await started(t, { logSize: 400 })
    for (let n = 1; n <= 300; n++) await long.publish(n, { id: `e${n}` })
    const short = await started(t, { prefix: long.prefix })
    const lengths = []
    for (let n = 301; n <= 304; n++) {
      await short.publish(n, { id: `e${n}` })
      lengths.push(await short.lengthOf())
      t.equal(await short.keysOf(), lengths.at(-1))
      t.equal((await short.readAfter(0)).seqs.length, LOG_SIZE)
    }
    t.strictSame(lengths, [201, 102, 40, 41])
    t.match(await short.publish(304, { id: 'e304' }), { duplicate: true })
  })

  t.test('the hash of a room is compact while its log is short, and then a table in which Redis does not search', async (t) => {
    const { publish, key } = await started(t, { logSize: 100 })
    const encodings = []
    for (let n = 1; n <= 60; n++) {
      await publish(n, { id: `e${n}` })
      encodings.push(await redis.client.object('ENCODING', key('r')))
    }
    t.strictSame(encodings, [...Array<string>(47).fill('listpack'), ...Array<string>(13).fill('hashtable')])
  })
})
