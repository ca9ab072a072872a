// Connects to Redis: one server, Sentinel, or a cluster, by the address. Gives up a dead connection and reconnects quickly.
import { Cluster, Redis, ReplyError, type RedisOptions } from 'ioredis'
import { parseAddress, type Address } from './address.js'
import { SCRIPTS, type RoomRedis } from './scripts.js'
import { closeSilent } from './silence.js'

/** Silence after a command that counts as a dead connection, ms. Waiting commands then fail with `UNAVAILABLE`, within 2 s. */
const SILENCE = 1_500
/** Longest time for which a worker of BullMQ waits in one command, ms: the bound in BullMQ itself, which it takes after an error. */
const QUEUE_WAIT = 10_000
/** Longest delay before the next connection attempt, ms. */
const MAX_RETRY_DELAY = 1_000
/** Minimum time between two look-ups of the master, ms: each closes the connection, and a replica refuses every event. */
const MASTER_LOOKUP_INTERVAL = 1_000

/** The clients for commands and for subscriptions. With a cluster they are one object, which keeps its own connections per shard. */
export interface RedisClients {
  readonly commands: RoomRedis
  readonly subscriber: Redis | Cluster
  /** The distinct clients: one for a cluster, otherwise two. */
  readonly clients: ReadonlyArray<Redis | Cluster>
  /** True for a cluster, whose subscribers restore their channels by themselves. */
  readonly isCluster: boolean
  readonly address: Address
  readonly sentinel: SentinelCredentials
  /** Database number; a cluster has only 0. */
  readonly database: number
  /** Opens one more client, for commands that block. Its caller closes it. */
  open: () => Redis | Cluster
  close: () => void
}

/** User and password of the Sentinels themselves; those in the address belong to Redis. */
export interface SentinelCredentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

// Replies as arrays and strings in every protocol version. Declared in the type too, since the client's overloads depend on it.
type Options = RedisOptions & { replyMapping: 'legacy' }

/** A client that is never ready in the wrong database: after a failed SELECT, ioredis reports the error and continues in database 0. */
class OneDatabaseRedis extends Redis {
  /** @param silence after a command that counts as a dead connection, ms */
  constructor (options: Options, silence = SILENCE) {
    super(options)
    closeSilent(this, silence)
  }

  override async select (database: number | string): Promise<'OK'> {
    try {
      return await super.select(database)
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      // `destroy` emits the error. The handshake must not continue before the connection is closed; the next attempt makes a new handshake.
      this.stream.destroy(new Error(`Redis rejected database ${database}: ${(error as Error).message}`))
      return new Promise(() => {})
    }
  }
}

/**
 * Connects, and reconnects without end whenever the connection is lost. While disconnected, every command fails at once.
 * @param sentinel credentials of the Sentinels, for an address of Sentinel
 * @throws if the address is invalid
 */
export function connect (url: string, sentinel: SentinelCredentials = {}): RedisClients {
  const address = parseAddress(url)
  if (typeof address === 'string') throw new Error(`the Redis URL ${address}`)
  const options = connectionOptions(address)
  if (address.kind === 'cluster') {
    const cluster = clusterOf(address, options)
    return clientsOf({ address, sentinel, open: () => clusterOf(address, options) }, cluster, cluster)
  }
  const settings = { ...options, ...targetOf(address, sentinel) }
  const open = () => new OneDatabaseRedis(settings)
  // Without automatic pipelining: it keeps one pipeline in flight, so that each command waits for the replies to those before it.
  return clientsOf({ address, sentinel, open }, new OneDatabaseRedis({ ...settings, scripts: SCRIPTS }), open())
}

/** Connects to the same Redis for a queue: its workers wait in blocking commands, which the other clients would take for a dead connection. */
export function connectQueue ({ address, sentinel }: Pick<RedisClients, 'address' | 'sentinel'>): Redis | Cluster {
  const options = connectionOptions(address)
  if (address.kind === 'cluster') return clusterOf(address, options, QUEUE_WAIT + SILENCE)
  return new OneDatabaseRedis({ ...options, ...targetOf(address, sentinel) }, QUEUE_WAIT + SILENCE)
}

/** Options of every connection, to a server or to a node of a cluster. */
function connectionOptions (address: Address): Options {
  return {
    ...address.options,
    replyMapping: 'legacy',
    connectTimeout: SILENCE,
    maxLoadingRetryTime: MAX_RETRY_DELAY,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // An unanswered command may have been executed: its sender decides about a retry, with the same id.
    autoResendUnfulfilledCommands: false,
    // ioredis would not report failures of its resubscription; RedisBroker subscribes again itself, and then checks for missed entries.
    autoResubscribe: false,
    retryStrategy: retryDelay,
    // Without the right to CLIENT SETINFO, each connection would add refusals to the ACL log of Redis.
    disableClientInfo: true,
    reconnectOnError: leaveReplica()
  }
}

function targetOf (address: Address, sentinel: SentinelCredentials) {
  const { kind, hosts, name } = address
  // No `failoverDetector`: if it fires in the middle of a reconnection, it ends the client for good.
  return kind === 'sentinel' ? { sentinels: [...hosts], name, sentinelRetryStrategy: retryDelay, ...sentinelOptions(address, sentinel) } : hosts[0]
}

function clusterOf ({ hosts }: Address, redisOptions: Options, silence = SILENCE): Cluster {
  const cluster = new Cluster([...hosts], {
    scripts: SCRIPTS,
    // The timer of ioredis for its own subscribers, which it does not hand out. They miss nothing by an early end: they subscribe again.
    redisOptions: { ...redisOptions, socketTimeout: silence },
    shardedSubscribers: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    autoPipeliningIgnoredCommands: ['ssubscribe', 'sunsubscribe', 'bzpopmin'],
    clusterRetryStrategy: retryDelay,
    // No second attempt with another connection after one was lost: as above, an unanswered command may have been executed.
    retryDelayOnFailover: 0,
    // Ten attempts in a second: a command that is still not served by then fails with UNAVAILABLE.
    maxRedirections: 10,
    slotsRefreshTimeout: SILENCE,
    slotsRefreshInterval: 5_000,
    // Host names stay unresolved: a certificate is verified against the name, and one unknown name does not stop the others.
    dnsLookup: (name, callback) => callback(null, name)
  })
  return cluster.on('+node', (node: Redis) => {
    delete node.options.socketTimeout
    closeSilent(node, silence)
  })
}

/** Options for Sentinel. With `tls` alone ioredis would speak plain text to the Sentinels and to the master that they name. */
function sentinelOptions ({ options: { tls } }: Address, { username, password }: SentinelCredentials) {
  return {
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password })
  }
}

function clientsOf (where: Pick<RedisClients, 'address' | 'sentinel' | 'open'>, commands: Redis | Cluster, subscriber: Redis | Cluster): RedisClients {
  const clients = [...new Set([commands, subscriber])]
  return {
    // The `scripts` option adds methods that the type of the client does not have.
    commands: commands as unknown as RoomRedis,
    subscriber,
    clients,
    isCluster: clients.length === 1,
    ...where,
    database: commands instanceof Redis ? commands.options.db ?? 0 : 0,
    close: () => { for (const client of clients) client.disconnect() }
  }
}

/** Reconnects after a READONLY error: the client is on a replica, so the master has moved and must be looked up again. */
function leaveReplica (): (error: Error) => boolean {
  let last = -Infinity
  return ({ message }) => {
    const now = performance.now()
    if (!message.startsWith('READONLY') || now - last < MASTER_LOOKUP_INTERVAL) return false
    last = now
    return true
  }
}

/** Delay before a reconnection, ms. Full jitter, so that nodes do not all reconnect at once. */
function retryDelay (attempt: number): number {
  return 50 + Math.random() * Math.min(MAX_RETRY_DELAY - 50, 50 * 2 ** attempt)
}
