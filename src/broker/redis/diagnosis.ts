// Finds the reason why Redis cannot be reached, with one connection attempt of its own: with Sentinel or a cluster, ioredis does not report the cause.
import net from 'node:net'
import tls from 'node:tls'
import { Redis, type RedisOptions } from 'ioredis'
import type { Address } from './address.js'
import type { RedisClients, SentinelCredentials } from './clients.js'
import { LOST, troubleOf, type Trouble } from './trouble.js'

/** Host and port; empty for a Unix socket, whose path is in the options. */
type Host = Partial<Address['hosts'][number]>

/** Timeout of one step, ms. */
const STEP_TIMEOUT = 1_500
/** Error codes of a connection that closes or hangs without a reason. */
const SILENT: ReadonlySet<string> = new Set([LOST.code, 'ETIMEDOUT', 'ECONNRESET', 'EPIPE', 'ECONNABORTED', 'EPROTO'])

/**
 * Tries the hosts of an address one after another, as the client does.
 * @returns the trouble with the first host; undefined if any host can be used
 */
export async function diagnose ({ address: { kind, hosts, name, options }, sentinel }: Pick<RedisClients, 'address' | 'sentinel'>): Promise<Trouble | undefined> {
  let first: Trouble | undefined
  for (const host of hosts.length > 0 ? hosts : [{}]) {
    const trouble = kind === 'sentinel' ? await trySentinel(host, name, options, sentinel) : await tryServer(host, options, kind === 'cluster')
    if (!trouble) return undefined
    first ??= trouble
  }
  return first
}

async function tryServer (host: Host, options: RedisOptions, isCluster: boolean): Promise<Trouble | undefined> {
  return attempt(host, options, async (redis) => {
    // PING fails while Redis loads its data.
    await redis.ping()
    if (!isCluster) return undefined
    await redis.cluster('SLOTS')
    const info = await redis.cluster('INFO')
    return /cluster_state:ok/.test(String(info)) ? undefined : troubleOf({ message: 'CLUSTERDOWN' })
  })
}

async function trySentinel (host: Host, name: string, options: RedisOptions, sentinel: SentinelCredentials): Promise<Trouble | undefined> {
  let master: Host | undefined
  const trouble = await attempt(host, { ...sentinel, ...(options.tls && { tls: options.tls }) }, async (redis) => {
    const reply = await redis.call('SENTINEL', 'get-master-addr-by-name', name)
    if (!Array.isArray(reply)) return troubleOf({ message: 'No such master' })
    master = { host: String(reply[0]), port: Number(reply[1]) }
    return undefined
  })
  return master ? tryServer(master, options, false) : trouble
}

/** Connects, runs `ask`, and disconnects. */
async function attempt (host: Host, options: RedisOptions, ask: (redis: Redis) => Promise<Trouble | undefined>): Promise<Trouble | undefined> {
  const redis = new Redis({
    ...options, ...host, lazyConnect: true, enableReadyCheck: false, retryStrategy: null, connectTimeout: STEP_TIMEOUT, socketTimeout: STEP_TIMEOUT, maxRetriesPerRequest: 0, disableClientInfo: true, replyMapping: 'legacy'
  })
  // The promise rejects with less detail than the `error` event: "Connection is closed".
  let cause: unknown
  redis.on('error', (error: unknown) => { cause ??= error })
  try {
    await redis.connect()
    const trouble = await ask(redis)
    // ioredis reports a missing database only by an `error` event.
    return cause === undefined ? trouble : troubleOf(cause)
  } catch (error) {
    const trouble = troubleOf(cause ?? error)
    return SILENT.has(trouble.code) ? await otherProtocol(host, options) ?? trouble : trouble
  } finally {
    redis.disconnect()
  }
}

/** Detects a port that speaks TLS while REDIS_URL does not, or the reverse: neither side reports the mismatch to the other. */
async function otherProtocol ({ host, port }: Host, { tls: isTls }: RedisOptions): Promise<Trouble | undefined> {
  if (host === undefined || port === undefined) return undefined
  const target = { host, port }
  if (!isTls) {
    // Nothing is sent over this connection, so any certificate is accepted.
    const speaksTls = await connects(tls.connect({ ...target, rejectUnauthorized: false }), 'secureConnect')
    return speaksTls ? { kind: 'unreachable', code: 'TLS', reason: 'its port requires TLS: REDIS_URL must begin with rediss' } : undefined
  }
  const [speaksTls, isOpen] = await Promise.all([connects(tls.connect({ ...target, rejectUnauthorized: false }), 'secureConnect'), connects(net.connect(target), 'connect')])
  return isOpen && !speaksTls ? { kind: 'unreachable', code: 'NOTLS', reason: 'its port does not support TLS: REDIS_URL must begin with redis, not rediss' } : undefined
}

function connects (socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(STEP_TIMEOUT, () => resolve(false))
    socket.on('error', () => resolve(false)).on('close', () => resolve(false)).once(event, () => resolve(true))
  }).finally(() => socket.destroy())
}
