// Process with a journal that is killed while it changes rooms and delivers webhooks: the next one delivers those of every acknowledged event, in order.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DATA_SYNCS } from '../../src/broker/journal/data-sync.js'
import { freshFolder } from '../broker/journal/fresh.js'
import { freePort } from '../free-port.js'
import { startProcess } from '../server-process.js'
import { until } from '../until.js'
import { SECRET, startReceiver } from '../webhooks/receiver.js'

const ROOMS = 12
/** Ends of the process in each mode. */
const KILLS = Number(process.env.CYCLES ?? 2)

async function startNode (t: Test, env: Record<string, string>) {
  const port = await freePort()
  const server = startProcess({ ...env, PORT: String(port), NODE_ENV: 'production', LOG_LEVEL: 'error', REQUESTS_PER_SECOND: '0', WEBHOOK_SECRET: SECRET, WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_EVENTS: 'payment.failed' }, { cwd: t.testdir({}) })
  t.teardown(() => server.child.kill('SIGKILL'))
  await until(() => `the node is ready: ${server.output()}`, () => fetch(`http://127.0.0.1:${port}/ready`).then(({ ok }) => ok, () => false), 60_000)
  /** @returns true if the result is in the log for sure */
  const publish = async (roomId: string, n: number) => {
    const body = JSON.stringify({ type: 'PAYMENT_ERROR', payload: { error: 'declined', code: `D${n}` }, id: `${n}` })
    try {
      const { status } = await fetch(`http://127.0.0.1:${port}/api/rooms/${roomId}/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      return status === 201 || status === 200
    } catch {
      return false
    }
  }
  return { server, publish }
}

for (const sync of DATA_SYNCS) {
  t.test(`DATA_SYNC=${sync}: kill -9 loses no webhook of an acknowledged event`, async (t) => {
    const receiver = await startReceiver(t)
    const env = { DATA_DIR: join(freshFolder(t), 'data'), DATA_SYNC: sync, WEBHOOK_URL: receiver.url }
    let node = await startNode(t, env)
    const life = { isOver: false }
    const acknowledged = new Map<string, number>()
    // Each room repeats an event until it is acknowledged, as a client does.
    const load = Promise.all(Array.from({ length: ROOMS }, async (_, room) => {
      const roomId = `room-${room}`
      acknowledged.set(roomId, 0)
      for (let n = 1; !life.isOver;) {
        if (await node.publish(roomId, n)) acknowledged.set(roomId, n++)
        await sleep(5)
      }
    }))
    for (let kill = 0; kill < KILLS; kill++) {
      const before = receiver.received.length
      // Some deliveries hang, so that they are under way when the process ends.
      let hanging = 0
      for (let i = 0; i < ROOMS / 3; i++) receiver.replies.push(() => { hanging++ })
      await until('deliveries hang, and others have arrived', () => hanging === ROOMS / 3 && receiver.received.length > before + ROOMS * 2)
      node.server.child.kill('SIGKILL')
      await node.server.exit
      node = await startNode(t, env)
    }
    life.isOver = true
    await load
    const codes = (roomId: string) => receiver.received.filter(({ data }) => data.roomId === roomId).map(({ data }) => Number(data.state.outcome!.code!.slice(1)))
    const missing = () => [...acknowledged].flatMap(([roomId, last]) => {
      const came = new Set(codes(roomId))
      return Array.from({ length: last }, (_, i) => i + 1).filter((n) => !came.has(n)).map((n) => `${roomId} ${n}`)
    })
    await until(() => `all arrive: ${missing().slice(0, 5).join(', ')}`, () => missing().length === 0, 90_000)
    for (const roomId of acknowledged.keys()) {
      const all = codes(roomId)
      t.strictSame(all, [...all].sort((a, b) => a - b), `${roomId}: in order, and a repetition follows its first delivery`)
    }
    const total = [...acknowledged.values()].reduce((sum, n) => sum + n, 0)
    t.comment(`${sync}: ${total} acknowledged results, ${receiver.received.length} deliveries`)
    t.ok(total > ROOMS)
    t.equal(receiver.refused(), 0)
  })
}
