// A node that is killed while it changes rooms and delivers webhooks: another one delivers all of them, in order.
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../../free-port.js'
import { startRedis, withoutRedis } from '../../redis.js'
import { startProcess } from '../../server-process.js'
import { until } from '../../until.js'
import { SECRET, startReceiver } from '../receiver.js'

const ROOMS = 20

async function startNode (t: Test, env: Record<string, string>) {
  const port = await freePort()
  const server = startProcess({ ...env, PORT: String(port), NODE_ENV: 'production', LOG_LEVEL: 'warn', REQUESTS_PER_SECOND: '0', WEBHOOK_SECRET: SECRET, WEBHOOK_ALLOW_PRIVATE: 'true' })
  t.teardown(async () => {
    server.child.kill('SIGKILL')
    await server.exit
  })
  await until(() => `the node is ready: ${server.errors()}`, () => fetch(`http://127.0.0.1:${port}/ready`).then(({ ok }) => ok, () => false), 60_000)
  /** @returns true if the result is in the log for sure */
  const publish = async (roomId: string, n: number) => {
    const body = JSON.stringify({ type: 'PAYMENT_ERROR', payload: { error: 'declined', code: `D${n}` }, id: `${n}` })
    try {
      return (await fetch(`http://127.0.0.1:${port}/api/rooms/${roomId}/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status === 201
    } catch {
      return false
    }
  }
  return { server, port, publish }
}

t.test('kill -9 of a node in the middle of deliveries', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const receiver = await startReceiver(t)
  const env = { REDIS_URL: redis.url, WEBHOOK_URL: receiver.url }
  const doomed = await startNode(t, env)
  // The first deliveries hang, so that they are under way when the node dies.
  let hanging = 0
  for (let i = 0; i < ROOMS / 2; i++) receiver.replies.push(() => { hanging++ })
  const certain = new Map<string, number[]>()
  const life = { isOver: false }
  const load = Promise.all(Array.from({ length: ROOMS }, async (_, room) => {
    const roomId = `room-${room}`
    certain.set(roomId, [])
    for (let n = 1; !life.isOver && n <= 2_000; n++) {
      if (await doomed.publish(roomId, n)) certain.get(roomId)!.push(n)
      await sleep(2)
    }
  }))
  await until('deliveries hang, and others have arrived', () => hanging === ROOMS / 2 && receiver.received.length > ROOMS * 2)
  const survivor = await startNode(t, env)
  doomed.server.child.kill('SIGKILL')
  await doomed.server.exit
  life.isOver = true
  await load
  const expected = [...certain].reduce((sum, [, seqs]) => sum + seqs.length, 0)
  t.ok(expected > ROOMS * 2, `${expected} results were acknowledged`)

  const codes = (roomId: string) => receiver.received.filter(({ data }) => data.roomId === roomId).map(({ data }) => Number(data.state.outcome!.code!.slice(1)))
  const isComplete = (roomId: string) => certain.get(roomId)!.every((n) => codes(roomId).includes(n))
  await until(() => `all arrive: ${[...certain.keys()].filter((roomId) => !isComplete(roomId)).join(' ')}`, () => [...certain.keys()].every(isComplete), 90_000)
  for (const roomId of certain.keys()) {
    const all = codes(roomId)
    t.strictSame(all, [...all].sort((a, b) => a - b), `${roomId}: in order, and a repetition follows its first delivery`)
  }
  t.comment(`${expected} acknowledged results, ${receiver.received.length} deliveries`)
  t.equal(receiver.refused(), 0)
  t.notMatch(survivor.server.errors(), /./)
})
