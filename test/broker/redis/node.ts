// Redis broker of one node for tests, with its own clock.
import type { Test } from 'tap'
import type { BrokerListener, RoomChange } from '../../../src/broker/broker.js'
import type { RedisNews } from '../../../src/broker/redis/availability.js'
import type { Outbox } from '../../../src/broker/redis/outbox.js'
import { RedisBroker } from '../../../src/broker/redis/redis-broker.js'
import { connect, type SentinelCredentials } from '../../../src/broker/redis/clients.js'
import { SCRIPTS, type RoomRedis } from '../../../src/broker/redis/scripts.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import type { RoomMember } from '../../../src/protocol/server-frames.js'
import { LATE_RESULTS, LOG_SIZE, RETENTION, STALL } from '../contract.js'
import { until } from '../../until.js'
import { payloadOf } from '../../../src/websocket/frame-writer.js'

let count = 0

/** Returns a prefix that no test used before. */
export function newPrefix (): string { return `test${++count}` }

export interface NodeOptions {
  readonly prefix?: string
  /** Allows reports of trouble with Redis in the test. */
  readonly mayFail?: boolean
  /** Skips the wait for readiness at the start. */
  readonly mayBeDown?: boolean
  readonly sentinel?: SentinelCredentials
  /** Outbox of webhooks. */
  readonly outbox?: Outbox
  readonly logSize?: number
}

/** Counts the calls of scripts, without those of the probe, which a broker makes on its own. Redis counts EVAL and EVALSHA apart, and the calls of all clients together. */
function countScripts (commands: RoomRedis): () => number {
  let calls = 0
  const methods = commands as unknown as Record<string, (this: unknown, ...args: unknown[]) => unknown>
  for (const name of Object.keys(SCRIPTS).filter((name) => name !== 'probe')) {
    const call = methods[name]!
    // A pipeline of a cluster has the same methods.
    methods[name] = function (...args) {
      if (this === commands) calls++
      return call.apply(this, args)
    }
  }
  return () => calls
}

export async function startBroker (t: Test, url: string, { prefix = newPrefix(), mayFail = false, mayBeDown = false, sentinel, outbox, logSize = LOG_SIZE }: NodeOptions = {}) {
  const node = `node${++count}`
  const clock = { time: 1_000_000 }
  let epochs = 0
  const connection = connect(url, sentinel)
  const scriptCalls = countScripts(connection.commands)
  const news: RedisNews[] = []
  let died = 0
  const broker = new RedisBroker({
    connection,
    prefix,
    node,
    outbox,
    logSize,
    retention: RETENTION,
    lateResults: LATE_RESULTS,
    stall: STALL,
    onNodeDied: () => { died++ },
    now: () => clock.time,
    monotonic: () => clock.time,
    newEpoch: () => `${node}.${++epochs}`,
    onNews: (report) => {
      news.push(report)
      if (report.what === 'failed' || (report.what !== 'up' && !mayFail)) t.fail('trouble with Redis', report)
    }
  })
  t.teardown(async () => {
    await broker.close()
    connection.close()
  })
  if (!mayBeDown) await until('the broker is ready', () => broker.ready())
  const pass = async (ms: number) => {
    // Ticks come at intervals, never later than the renewal of a room is due.
    for (let left = ms; left > 0; left -= RETENTION / 4) {
      clock.time += Math.min(left, RETENTION / 4)
      await broker.tick()
    }
  }
  return { broker, connection, prefix, node, news, clock, pass, scriptCalls, died: () => died }
}

/** Starts a broker with a listener that records its calls, and helpers for tests. */
export async function startNode (t: Test, url: string, options: NodeOptions = {}) {
  const started = await startBroker(t, url, options)
  const { broker, prefix } = started
  const heard = {
    /** Room, sequence number and n of the payload, per event. */
    events: [] as Array<[roomId: string, seq: number, n: unknown]>,
    closed: [] as Array<[string, string]>,
    lost: [] as string[],
    changes: [] as RoomChange[],
    stalls: [] as string[],
    elsewhere: [] as Array<[string, readonly RoomMember[]]>
  }
  const listener: BrokerListener = {
    entry: (roomId, { seq, frame }) => heard.events.push([roomId, seq, (JSON.parse(payloadOf(frame).toString()) as { payload: { n: unknown } }).payload.n]),
    closed: (roomId, cause) => heard.closed.push([roomId, cause]),
    lost: (roomId) => heard.lost.push(roomId),
    changed: (change) => heard.changes.push(change),
    stalled: (roomId) => heard.stalls.push(roomId),
    advanced: () => {},
    remoteMembers: (roomId, members) => heard.elsewhere.push([roomId, members])
  }
  broker.listen(listener)
  const publish = (n: unknown, { roomId = 'r', id, origin }: { roomId?: string, id?: string, origin?: string } = {}) =>
    broker.publish(roomId, draftEvent({ type: 'CLICKED_PAY', payload: { roomId, n }, id }, { source: 'device', timestamp: 1000, ...(origin !== undefined && { origin }) }), true)
  return { ...started, heard, publish, channel: `${prefix}:db0:{@node:${started.node}}`, key: (roomId: string) => `${prefix}:{${roomId}}` }
}

/** Starts two nodes that share their rooms. */
export async function startPair (t: Test, url: string, options: NodeOptions = {}) {
  const prefix = newPrefix()
  return Promise.all([startNode(t, url, { ...options, prefix }), startNode(t, url, { ...options, prefix })])
}

export function member (clientId: string): RoomMember { return { clientId, deviceId: clientId, role: 'device1' } }
