// Agreement of both brokers: for any sequence of events they give the same answers, the same log and the same payment state.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { MemoryBroker } from '../../src/broker/memory/memory-broker.js'
import { Failure } from '../../src/errors.js'
import { draftEvent } from '../../src/broker/event-draft.js'
import { PAYMENT_EVENT_TYPES } from '../../src/protocol/events.js'
import { startRedis, withoutRedis } from '../redis.js'
import { LOG_SIZE, RETENTION } from './contract.js'
import { startBroker } from './redis/node.js'
import { payloadOf } from '../../src/websocket/frame-writer.js'

const text = fc.constantFrom('', 'pix', 'card', 'a"b\\', 'ç\u2028', '5')
const event = fc.record({
  type: fc.constantFrom(...PAYMENT_EVENT_TYPES, 'NOTE'),
  payload: fc.record({
    method: text, fields: fc.array(text, { maxLength: 2 }), transactionId: text, amount: fc.constantFrom(0, 1.5, 99.9), currency: text, error: text, code: text
  }, { requiredKeys: [] }),
  id: fc.option(fc.constantFrom('x', 'y', 'a b', '"'), { nil: undefined }),
  idempotencyKey: fc.option(fc.constantFrom('x', 'k'), { nil: undefined }),
  verified: fc.boolean(),
  timestamp: fc.integer({ min: 1, max: 5 })
})

t.test('both brokers give the same answers, log and state', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  const { broker: redis, clock } = await startBroker(t, url)
  let rooms = 0
  await fc.assert(fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
    const memory = new MemoryBroker({ logSize: LOG_SIZE, retention: RETENTION, now: () => clock.time, monotonic: () => clock.time, newEpoch: () => randomBytes(4).toString('hex') })
    const roomId = `r${++rooms}`
    const answers = await Promise.all([memory, redis].map(async (broker) => {
      const results: unknown[] = []
      for (const { type, payload, id, idempotencyKey, verified, timestamp } of events) {
        const draft = draftEvent({ type, payload: { roomId, ...payload }, id }, { source: verified ? 'api' : 'device', verified, timestamp, idempotencyKey })
        const answer = await broker.publish(roomId, draft, true)
        results.push(answer instanceof Failure ? answer.code : { ...answer, epoch: '' })
      }
      const view = await broker.read(roomId, { seq: 0 })
      if (view instanceof Failure) return [...results, view.code]
      const { seq, state, recovered, entries } = view
      return [...results, { seq, state, recovered, entries: entries.map((entry) => [entry.seq, payloadOf(entry.frame).toString()]) }]
    }))
    t.strictSame(answers[1], answers[0])
  }), { numRuns: 200 })
})
