// Agreement of both brokers: for any sequence of events they give the same answers, the same log and the same payment state.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { MemoryBroker } from '../../src/broker/memory/memory-broker.js'
import { Failure } from '../../src/errors.js'
import { draftEvent } from '../../src/broker/event-draft.js'
import { PAYMENT_EVENT_TYPES } from '../../src/protocol/events.js'
import { cells } from '../payment/table.js'
import { startRedis, withoutRedis } from '../redis.js'
import { LATE_RESULTS, LOG_SIZE, RETENTION } from './contract.js'
import { startBroker } from './redis/node.js'
import { payloadOf } from '../../src/websocket/frame-writer.js'

const text = fc.constantFrom('', 'pix', 'card', 'a"b\\', 'ç\u2028', '5')
const event = fc.record({
  type: fc.constantFrom(...PAYMENT_EVENT_TYPES, 'NOTE'),
  payload: fc.record({
    method: text, fields: fc.array(text, { maxLength: 2 }), transactionId: fc.oneof(text, fc.nat(3)), amount: fc.constantFrom(0, 1.5, 99.9, '1.50'), currency: fc.constantFrom('BRL', 'brl', 'JPY'), error: text, code: text, reason: text, refundId: text, outcome: fc.constantFrom('opened', 'won', 'lost'), expiresAt: fc.nat(5)
  }, { requiredKeys: [] }),
  id: fc.option(fc.constantFrom('x', 'y', 'a b', '"'), { nil: undefined }),
  idempotencyKey: fc.option(fc.constantFrom('x', 'k'), { nil: undefined }),
  verified: fc.boolean(),
  timestamp: fc.integer({ min: 1, max: 5 })
})

function memoryBroker (clock: { time: number }): MemoryBroker {
  return new MemoryBroker({ logSize: LOG_SIZE, retention: RETENTION, lateResults: LATE_RESULTS, now: () => clock.time, monotonic: () => clock.time, newEpoch: () => randomBytes(4).toString('hex') })
}

t.test('both brokers give the status of the table after every event in every state', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  const { broker: redis, clock } = await startBroker(t, url)
  const memory = memoryBroker(clock)
  await Promise.all(cells().map(async ({ row, column, expected, given, event, status }, i) => {
    const roomId = `cell${i}`
    const states = []
    for (const broker of [memory, redis]) {
      if (expected !== undefined) await broker.createRoom(roomId, { amount: expected, currency: 'BRL' })
      for (const { type, payload, verified = false } of [...given, event]) {
        await broker.publish(roomId, draftEvent({ type, payload: { roomId, ...payload } }, { source: verified ? 'api' : 'device', verified, timestamp: 5 }), true)
      }
      const view = await broker.read(roomId)
      states.push(view instanceof Failure ? view.code : view.state)
    }
    t.match(states[0], { status }, `${row}, then ${column}`)
    t.strictSame(states[1], states[0], `${row}, then ${column}, in Redis`)
  }))
})

t.test('verified facts that arrive at once on one payment are all counted', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  const { broker } = await startBroker(t, url)
  await broker.createRoom('r', { amount: 5, currency: 'BRL' })
  const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => broker.publish('r', draftEvent(
    { type: 'PAYMENT_SUCCESS', payload: { roomId: 'r', transactionId: `t${i}`, amount: 1, currency: 'BRL' } }, { source: 'api', verified: true, timestamp: 5 }), true)))
  for (const answer of answers) t.match(answer, { isNew: true })
  t.match(await broker.read('r'), { seq: 5, state: { status: 'succeeded', paid: 5, balance: 'exact' } })

  const crowd = Array.from({ length: 40 }, (_, i) => draftEvent(
    { type: 'PAYMENT_SUCCESS', payload: { roomId: 'crowd', transactionId: `t${i}`, amount: 1, currency: 'BRL' }, id: `t${i}` }, { source: 'api', verified: true, timestamp: 5 }))
  const crowded = await Promise.all(crowd.map((draft) => broker.publish('crowd', draft, true)))
  const refused = crowd.filter((_, i) => crowded[i] instanceof Failure)
  t.ok(refused.length > 0 && crowded.every((answer) => !(answer instanceof Failure) || answer.code === 'UNAVAILABLE'), 'a crowd on one payment is not tried without end')
  for (const draft of refused) t.match(await broker.publish('crowd', draft, true), { isNew: true }, 'sent again')
  t.match(await broker.read('crowd'), { seq: 40, state: { paid: 40 } })
})

t.test('both brokers give the same answers, log and state', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  const { broker: redis, clock } = await startBroker(t, url)
  let rooms = 0
  const terms = fc.constantFrom(undefined, {}, { amount: 99.9, currency: 'BRL', reference: 'order 1' }, { amount: '3', currency: 'jpy' })
  await fc.assert(fc.asyncProperty(terms, fc.array(event, { maxLength: 25 }), async (terms, events) => {
    const memory = memoryBroker(clock)
    const roomId = `r${++rooms}`
    if (terms) for (const broker of [memory, redis]) await broker.createRoom(roomId, terms)
    const answers = await Promise.all([memory, redis].map(async (broker) => {
      const results: unknown[] = []
      for (const { type, payload, id, idempotencyKey, verified, timestamp } of events) {
        const draft = draftEvent({ type, payload: { roomId, ...payload }, id }, { source: verified ? 'api' : 'device', verified, timestamp, idempotencyKey })
        const answer = await broker.publish(roomId, draft, true)
        results.push(answer instanceof Failure ? answer.code : { ...answer, epoch: '' })
      }
      const view = await broker.read(roomId, { seq: 0 })
      if (view instanceof Failure) return [...results, view.code]
      const { seq, state, link, recovered, entries } = view
      return [...results, { seq, state, link, recovered, entries: entries.map((entry) => [entry.seq, payloadOf(entry.frame).toString()]) }]
    }))
    t.strictSame(answers[1], answers[0])
  }), { numRuns: 200 })
})
