// The way to Redis: one server, Sentinel, or a cluster, by the address; quick to give up on a dead one and to come back.
import { Cluster, Redis, ReplyError, type RedisOptions } from 'ioredis'
import { parseAddress, type Address } from './address.js'
import { SCRIPTS, type RoomRedis } from './scripts.js'

/** Silence after a command that counts as a dead connection, ms. What waits for it is then told `UNAVAILABLE`: within 2 s. */
const SILENCE = 1_500
/** The longest pause before the next attempt to connect, ms. */
const MAX_PAUSE = 1_000
/** The least time between two looks for another master, ms: each closes the connection, and a replica refuses every event. */
const MASTER_LOOKUP_INTERVAL = 1_000

/** The two ways to talk to Redis. In a cluster they are one object, which keeps its own connections per shard. */
export interface RedisClients {
  readonly commands: RoomRedis
  readonly subscriber: Redis | Cluster
  /** Each of them once. */
  readonly clients: ReadonlyArray<Redis | Cluster>
  /** A cluster's subscribers remember their channels by themselves. */
  readonly isCluster: boolean
  readonly address: Address
  readonly sentinel: SentinelCredentials
  /** The number of the database; a cluster has 0 alone. */
  readonly database: number
  close: () => void
}

/** The user and password of the Sentinels themselves; those in the address are Redis' own. */
export interface SentinelCredentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

// Replies as arrays and strings, whatever the protocol. Said in the type too, since the client's overloads depend on it.
type Options = RedisOptions & { replyMapping: 'legacy' }

/** A client that is never ready in another database than its own: ioredis reports a SELECT that fails, and goes on in database 0. */
class OneDatabaseRedis extends Redis {
  override async select (database: number | string): Promise<'OK'> {
    try {
      return await super.select(database)
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      // Emitted as an `error`. The handshake must not go on until the connection is closed; the next attempt has a handshake of its own.
      this.stream.destroy(new Error(`Redis refuses database ${database}: ${(error as Error).message}`))
      return new Promise(() => {})
    }
  }
}

/**
 * Connects, now and again whenever the connection is lost, without end. Until then and in between every command fails at once.
 * @param sentinel credentials of the Sentinels, where the address is one of Sentinel
 * @throws where the address is none
 */
export function connect (url: string, sentinel: SentinelCredentials = {}): RedisClients {
  const address = parseAddress(url)
  if (typeof address === 'string') throw new Error(`the address of Redis ${address}`)
  const { kind, hosts, name } = address
  const options: Options = {
    ...address.options,
    replyMapping: 'legacy',
    connectTimeout: SILENCE,
    socketTimeout: SILENCE,
    maxLoadingRetryTime: MAX_PAUSE,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // What was sent and not answered may have been done: whoever sent it decides, with the same id.
    autoResendUnfulfilledCommands: false,
    // It would leave its failures to nobody; we subscribe again ourselves, and then look what we missed.
    autoResubscribe: false,
    retryStrategy: pause,
    // Their refusal would fill the log of an ACL that gives no right to them.
    disableClientInfo: true,
    reconnectOnError: leaveReplica()
  }
  if (kind === 'cluster') {
    const cluster = new Cluster([...hosts], {
      scripts: SCRIPTS,
      redisOptions: options,
      shardedSubscribers: true,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      autoPipeliningIgnoredCommands: ['ssubscribe', 'sunsubscribe'],
      clusterRetryStrategy: pause,
      // Ten attempts in a second: what is still not served by then is UNAVAILABLE.
      maxRedirections: 10,
      slotsRefreshTimeout: SILENCE,
      slotsRefreshInterval: 5_000,
      // Names are left as they are: a certificate is verified against the name, and one name that is not found does not stop the others.
      dnsLookup: (name, callback) => callback(null, name)
    })
    return connectionOf({ address, sentinel }, cluster, cluster)
  }
  // Not with `failoverDetector`: when it fires in the middle of a reconnection it ends the client for good.
  const place = kind === 'sentinel' ? { sentinels: [...hosts], name, sentinelRetryStrategy: pause, ...sentinelOptions(address, sentinel) } : hosts[0]
  const settings = { ...options, ...place }
  return connectionOf({ address, sentinel }, new OneDatabaseRedis({ ...settings, scripts: SCRIPTS, enableAutoPipelining: true }), new OneDatabaseRedis(settings))
}

/** With `tls` alone ioredis would speak plain text to the Sentinels and to the master that they name. */
function sentinelOptions ({ options: { tls } }: Address, { username, password }: SentinelCredentials) {
  return {
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password })
  }
}

function connectionOf (where: Pick<RedisClients, 'address' | 'sentinel'>, commands: Redis | Cluster, subscriber: Redis | Cluster): RedisClients {
  const clients = [...new Set([commands, subscriber])]
  return {
    // The scripts became methods of it, which its own type does not tell.
    commands: commands as unknown as RoomRedis,
    subscriber,
    clients,
    isCluster: clients.length === 1,
    ...where,
    database: commands instanceof Redis ? commands.options.db ?? 0 : 0,
    close: () => { for (const client of clients) client.disconnect() }
  }
}

/** A replica is no place for us: the master has moved, so look it up again. */
function leaveReplica (): (error: Error) => boolean {
  let last = -Infinity
  return ({ message }) => {
    const now = performance.now()
    if (!message.startsWith('READONLY') || now - last < MASTER_LOOKUP_INTERVAL) return false
    last = now
    return true
  }
}

/** Full jitter, so that the nodes do not come back all at once. */
function pause (attempt: number): number {
  return 50 + Math.random() * Math.min(MAX_PAUSE - 50, 50 * 2 ** attempt)
}
