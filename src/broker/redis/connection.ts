// The way to Redis: one server, Sentinel, or a cluster, by the address; quick to give up on a dead one and to come back.
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { parseAddress } from './address.js'
import { SCRIPTS, type RoomRedis } from './scripts.js'

/** Silence after a command that counts as a dead connection, ms. What waits for it is then told `UNAVAILABLE`: within 2 s. */
const SILENCE = 1_500
/** The longest pause before the next attempt to connect, ms. */
const MAX_PAUSE = 1_000

/** The two ways to talk to Redis. In a cluster they are one object, which keeps its own connections per shard. */
export interface Connection {
  readonly commands: RoomRedis
  readonly subscriber: Redis | Cluster
  /** Each of them once. */
  readonly clients: ReadonlyArray<Redis | Cluster>
  /** A cluster's subscribers remember their channels by themselves. */
  readonly isCluster: boolean
  close: () => void
}

// Replies as arrays and strings, whatever the protocol. Said in the type too, since the client's overloads depend on it.
type Options = RedisOptions & { replyMapping: 'legacy' }

/**
 * Connects, now and again whenever the connection is lost, without end. Until then and in between every command fails at once.
 * @throws where the address is none
 */
export function connect (url: string): Connection {
  const address = parseAddress(url)
  if (!address) throw new Error('not an address of Redis')
  const { kind, hosts, path } = address
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
    // A replica is no place for us: the master has moved, so look it up again.
    reconnectOnError: ({ message }) => message.startsWith('READONLY')
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
      slotsRefreshInterval: 5_000
    })
    return connectionOf(cluster, cluster)
  }
  // Not with `failoverDetector`: when it fires in the middle of a reconnection it ends the client for good.
  const place = kind === 'sentinel'
    ? { sentinels: [...hosts], name: path, sentinelRetryStrategy: pause }
    : { ...hosts[0], db: Number(path) }
  return connectionOf(new Redis({ ...options, ...place, scripts: SCRIPTS, enableAutoPipelining: true }), new Redis({ ...options, ...place }))
}

function connectionOf (commands: Redis | Cluster, subscriber: Redis | Cluster): Connection {
  const clients = [...new Set([commands, subscriber])]
  return {
    // The scripts became methods of it, which its own type does not tell.
    commands: commands as unknown as RoomRedis,
    subscriber,
    clients,
    isCluster: clients.length === 1,
    close: () => { for (const client of clients) client.disconnect() }
  }
}

/** Full jitter, so that the nodes do not come back all at once. */
function pause (attempt: number): number {
  return 50 + Math.random() * Math.min(MAX_PAUSE - 50, 50 * 2 ** attempt)
}
