// One node's Redis broker for tests, with a clock of its own.
import type { Test } from 'tap'
import type { BrokerListener } from '../../../src/broker/broker.js'
import type { RedisNews } from '../../../src/broker/redis/availability.js'
import { RedisBroker } from '../../../src/broker/redis/redis-broker.js'
import { connect, type SentinelCredentials } from '../../../src/broker/redis/clients.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import type { RoomMember } from '../../../src/protocol/server-frames.js'
import { LOG_SIZE, RETENTION } from '../contract.js'
import { until } from '../../until.js'
import { payloadOf } from '../../../src/websocket/frame-writer.js'

let count = 0

/** A prefix that no test used before. */
export function newPrefix (): string { return `test${++count}` }

export interface NodeOptions {
  readonly prefix?: string
  /** Trouble with Redis is part of the test. */
  readonly mayFail?: boolean
  /** It need not be ready at first. */
  readonly mayBeDown?: boolean
  readonly sentinel?: SentinelCredentials
}

export async function startBroker (t: Test, url: string, { prefix = newPrefix(), mayFail = false, mayBeDown = false, sentinel }: NodeOptions = {}) {
  const node = `node${++count}`
  const clock = { time: 1_000_000 }
  let epochs = 0
  const connection = connect(url, sentinel)
  const news: RedisNews[] = []
  const broker = new RedisBroker({
    connection,
    prefix,
    node,
    logSize: LOG_SIZE,
    retention: RETENTION,
    now: () => clock.time,
    monotonic: () => clock.time,
    newEpoch: () => `${node}.${++epochs}`,
    onNews: (told) => {
      news.push(told)
      if (told.what === 'failed' || (told.what !== 'up' && !mayFail)) t.fail('trouble with Redis', told)
    }
  })
  t.teardown(async () => {
    await broker.close()
    connection.close()
  })
  if (!mayBeDown) await until('the broker is ready', () => broker.ready())
  const pass = async (ms: number) => {
    // As the clock would have it: a tick now and then, never later than a room's renewal is due.
    for (let left = ms; left > 0; left -= RETENTION / 4) {
      clock.time += Math.min(left, RETENTION / 4)
      await broker.tick()
    }
  }
  return { broker, connection, prefix, node, news, clock, pass }
}

/** The same, with a listener that keeps what it hears, and short ways to do what tests do. */
export async function startNode (t: Test, url: string, options: NodeOptions = {}) {
  const started = await startBroker(t, url, options)
  const { broker, prefix } = started
  const heard = {
    /** Per event: room and the payload's n. */
    events: [] as Array<[roomId: string, seq: number, n: unknown]>,
    closed: [] as Array<[string, string]>,
    lost: [] as string[],
    elsewhere: [] as Array<[string, readonly RoomMember[]]>
  }
  const listener: BrokerListener = {
    entry: (roomId, { seq, frame }) => heard.events.push([roomId, seq, (JSON.parse(payloadOf(frame).toString()) as { payload: { n: unknown } }).payload.n]),
    closed: (roomId, cause) => heard.closed.push([roomId, cause]),
    lost: (roomId) => heard.lost.push(roomId),
    remoteMembers: (roomId, members) => heard.elsewhere.push([roomId, members])
  }
  broker.listen(listener)
  const publish = (n: unknown, { roomId = 'r', id, origin }: { roomId?: string, id?: string, origin?: string } = {}) =>
    broker.publish(roomId, draftEvent({ type: 'CLICKED_PAY', payload: { roomId, n }, id }, { source: 'device', timestamp: 1000, ...(origin !== undefined && { origin }) }), true)
  return { ...started, heard, publish, channel: (roomId: string) => `${prefix}:db0:{${roomId}}`, key: (roomId: string) => `${prefix}:{${roomId}}` }
}

/** Two nodes that share their rooms. */
export async function startPair (t: Test, url: string, options: NodeOptions = {}) {
  const prefix = newPrefix()
  return Promise.all([startNode(t, url, { ...options, prefix }), startNode(t, url, { ...options, prefix })])
}

export function member (clientId: string): RoomMember { return { clientId, deviceId: clientId, role: 'device1' } }
