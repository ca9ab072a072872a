// Requests to Redis that an event makes beside its own step: its milestone, and the look at the room when the payer may have paused.
import t from 'tap'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { until } from '../../until.js'
import { STALL } from '../contract.js'
import { startNode, startPair } from './node.js'

t.test('requests of an event over Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  type Node = Awaited<ReturnType<typeof startNode>>
  const step = ({ broker }: Node, type: string, method?: string) =>
    broker.publish('r', draftEvent({ type, payload: { roomId: 'r', ...(method && { method }) } }, { source: 'device', timestamp: 1000 }), true)
  const noted = ({ key }: Node, milestone: number) =>
    until(`milestone ${milestone} is noted`, async () => (await redis.client.hget(key('r'), 'furthest'))?.startsWith(`${milestone} `) ?? false)
  const dueAt = ({ prefix }: Node) => redis.client.zscore(`${prefix}:{@due}`, 'r')

  t.test('a subscribed payment asks once for the look at its pause, and once for each milestone', async (t) => {
    const node = await startNode(t, redis.url)
    await node.broker.subscribe('r')
    await step(node, 'ENTERED_SUMMARY')
    await noted(node, 1)
    await until('the room is due', async () => await dueAt(node) !== null)
    const before = node.scriptCalls()
    for (const method of ['pix', 'card', 'pix', 'card']) {
      node.clock.time += STALL / 10
      await step(node, 'PAYMENT_METHOD_CHANGED', method)
    }
    await noted(node, 3)
    const calls = node.scriptCalls() - before
    t.ok(calls === 4 || calls === 5, `four events, and a milestone that may go with one of them: ${calls} calls`)
    t.equal(Number(await dueAt(node)), 1_000_000 + STALL)
  })

  t.test('the milestones of a turn are one call', async (t) => {
    const node = await startNode(t, redis.url)
    const rooms = Array.from({ length: 10 }, (_, n) => `r${n}`)
    for (const roomId of rooms) await node.broker.subscribe(roomId)
    const publish = (type: string) => Promise.all(rooms.map((roomId) =>
      node.broker.publish(roomId, draftEvent({ type, payload: { roomId } }, { source: 'device', timestamp: 1000 }), true)))
    const allNoted = (milestone: number) => until('all are noted', async () => {
      const furthest = await Promise.all(rooms.map((roomId) => redis.client.hget(node.key(roomId), 'furthest')))
      return furthest.every((text) => text?.startsWith(`${milestone} `))
    })
    await publish('ENTERED_SUMMARY')
    await allNoted(1)
    await until('all are due', async () => await redis.client.zcard(`${node.prefix}:{@due}`) === rooms.length)
    const before = node.scriptCalls()
    await publish('CLICKED_PROCEED')
    await allNoted(2)
    t.equal(node.scriptCalls() - before, 2, 'the events, and their milestones')
  })

  t.test('after the time of the look, and for a new log, it is asked for again', async (t) => {
    const [node, other] = await startPair(t, redis.url)
    await node.broker.subscribe('r')
    await step(node, 'ENTERED_SUMMARY')
    await until('the room is due', async () => await dueAt(node) !== null)
    node.clock.time += STALL
    other.clock.time += STALL
    await other.broker.tick()
    await until('the other node told the pause', () => node.heard.stalls.length === 1)
    await until('the room is due no more', async () => await dueAt(node) === null)
    await step(node, 'ENTERED_SUMMARY')
    await until('the room is due again', async () => await dueAt(node) !== null)
    t.equal(Number(await dueAt(node)), 1_000_000 + 2 * STALL)

    await redis.client.del(`${node.prefix}:{@due}`, node.key('r'))
    await step(node, 'CLICKED_PROCEED')
    await until('the members learn of the loss', () => node.heard.lost.length === 1)
    await step(node, 'CLICKED_PAY')
    await until('the room of the new log is due', async () => await dueAt(node) !== null)
    await noted(node, 5)
  })
})
