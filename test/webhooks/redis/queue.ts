// RedisQueue of one node for tests, on a clock of the test, and the changes that the scripts of the broker would append for it.
import { Queue } from 'bullmq'
import type { Test } from 'tap'
import type { RoomChange } from '../../../src/broker/broker.js'
import { connect, connectQueue } from '../../../src/broker/redis/clients.js'
import { fieldsOf } from '../../../src/broker/redis/state.js'
import { RedisQueue } from '../../../src/webhooks/redis/redis-queue.js'
import { until } from '../../until.js'
import type { TestClock } from '../contract.js'

const FIELDS = ['status', 'verified', 'step', 'method', 'fields', 'outcome', 'attempt', 'lastError', 'money', 'verdicts', 'ledger', 'link', 'updated', 'version']

/** Entry of an outbox as Lua encodes it. */
export function entryOf ({ cause, epoch, seq, type, timestamp, state, link }: RoomChange, url?: string): string {
  const flat = JSON.parse(fieldsOf({ state, ...(link && { link }) })) as string[]
  const values = new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]))
  return JSON.stringify({ cause, type, epoch, seq, at: String(timestamp), created: '1', ...(url !== undefined && { url }), payment: FIELDS.map((name) => values.get(name) || false) })
}

let count = 0

export async function startRedisQueue (t: Test, url: string, clock: TestClock, { prefix = `queue${++count}` } = {}) {
  const clients = connect(url)
  const connection = connectQueue(clients)
  for (const client of [...clients.clients, connection]) client.on('error', () => {})
  await until('Redis is connected', () => clients.commands.status === 'ready' && connection.status === 'ready')
  const dropped: string[] = []
  const failed: unknown[] = []
  const queue = new RedisQueue({
    commands: clients.commands,
    connection,
    prefix,
    now: () => clock.time,
    monotonic: () => clock.time,
    isWanted: () => true,
    onDropped: (roomId) => dropped.push(roomId),
    onFailed: (error) => failed.push(error)
  })
  const jobs = new Queue('rooms', { connection: connection as never, prefix: `${prefix}:{@webhooks}`, skipVersionCheck: true })
  jobs.on('error', () => {})
  t.teardown(async () => {
    await queue.close(1_000)
    await jobs.close()
    connection.disconnect()
    clients.close()
  })
  const append = async (change: RoomChange, url?: string) => { await clients.commands.rpush(`${prefix}:{${change.roomId}}:outbox`, entryOf(change, url)) }
  const add = async (change: RoomChange, url?: string) => {
    await append(change, url)
    queue.appended(change, false)
  }
  /** BullMQ goes by the clock of the process: all that waits looks again at the clock of the test. */
  const tick = async () => { for (const job of await jobs.getDelayed()) await job.promote().catch(() => {}) }
  return { queue, add, append, tick, prefix, commands: clients.commands, connection, dropped, failed, jobs }
}
