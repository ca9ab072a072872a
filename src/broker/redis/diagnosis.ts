// Finds out why Redis cannot be reached, by one attempt of its own: behind Sentinel and in a cluster the client keeps the cause to itself.
import net from 'node:net'
import tls from 'node:tls'
import { Redis, type RedisOptions } from 'ioredis'
import type { Address } from './address.js'
import type { RedisClients, SentinelCredentials } from './clients.js'
import { LOST, troubleOf, type Trouble } from './trouble.js'

/** A host, or a Unix socket, whose path is among the options. */
type Host = Partial<Address['hosts'][number]>

/** How long one step may take, ms. */
const PATIENCE = 1_500
/** The codes of a connection that ends, or goes on for ever, without a word. */
const SILENT: ReadonlySet<string> = new Set([LOST.code, 'ETIMEDOUT', 'ECONNRESET', 'EPIPE', 'ECONNABORTED', 'EPROTO'])

/**
 * Tries the hosts of an address, one after another, as the client does.
 * @returns what is wrong with the first of them; undefined where one can be used
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
    // Refused while it loads its data.
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
    const found = await redis.call('SENTINEL', 'get-master-addr-by-name', name)
    if (!Array.isArray(found)) return troubleOf({ message: 'No such master' })
    master = { host: String(found[0]), port: Number(found[1]) }
    return undefined
  })
  return master ? tryServer(master, options, false) : trouble
}

/** Connects, asks something, and disconnects. */
async function attempt (host: Host, options: RedisOptions, ask: (redis: Redis) => Promise<Trouble | undefined>): Promise<Trouble | undefined> {
  const redis = new Redis({
    ...options, ...host, lazyConnect: true, enableReadyCheck: false, retryStrategy: null, connectTimeout: PATIENCE, socketTimeout: PATIENCE, maxRetriesPerRequest: 0, disableClientInfo: true, replyMapping: 'legacy'
  })
  // The promise that rejects says less: "Connection is closed".
  let cause: unknown
  redis.on('error', (error: unknown) => { cause ??= error })
  try {
    await redis.connect()
    const trouble = await ask(redis)
    // A database that is not there is told by an event alone.
    return cause === undefined ? trouble : troubleOf(cause)
  } catch (error) {
    const trouble = troubleOf(cause ?? error)
    return SILENT.has(trouble.code) ? await otherProtocol(host, options) ?? trouble : trouble
  } finally {
    redis.disconnect()
  }
}

/** A port that speaks TLS where the address says that it does not, or the other way round: neither side is told so by the other. */
async function otherProtocol ({ host, port }: Host, { tls: isTls }: RedisOptions): Promise<Trouble | undefined> {
  if (host === undefined || port === undefined) return undefined
  const target = { host, port }
  if (!isTls) {
    // Nothing is sent over it, so that its certificate may be anybody's.
    const speaksTls = await connects(tls.connect({ ...target, rejectUnauthorized: false }), 'secureConnect')
    return speaksTls ? { kind: 'unreachable', code: 'TLS', reason: 'its port speaks TLS: REDIS_URL must begin with rediss' } : undefined
  }
  const [speaksTls, isOpen] = await Promise.all([connects(tls.connect({ ...target, rejectUnauthorized: false }), 'secureConnect'), connects(net.connect(target), 'connect')])
  return isOpen && !speaksTls ? { kind: 'unreachable', code: 'NOTLS', reason: 'its port does not speak TLS: REDIS_URL must begin with redis, not rediss' } : undefined
}

function connects (socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(PATIENCE, () => resolve(false))
    socket.on('error', () => resolve(false)).on('close', () => resolve(false)).once(event, () => resolve(true))
  }).finally(() => socket.destroy())
}
