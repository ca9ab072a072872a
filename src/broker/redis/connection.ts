// The way to Redis: one server, Sentinel, or a cluster, by the address; quick to give up on a dead one and to come back.
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { SCRIPTS, type RoomRedis } from './scripts.js'

/** Silence after a command that counts as a dead connection, ms. What waits for it is then told `UNAVAILABLE`: within 2 s. */
const SILENCE = 1_500
/** The longest pause before the next attempt to connect, ms. */
const MAX_PAUSE = 1_000

/** The two ways to talk to Redis. In a cluster they are one object, which keeps its own connections per shard. */
export interface Connection {
  readonly commands: RoomRedis
  readonly subscriber: Redis | Cluster
}

// Replies as arrays and strings, whatever the protocol. Said in the type too, since the client's overloads depend on it.
type Options = RedisOptions & { replyMapping: 'legacy' }

interface Address {
  readonly kind: 'server' | 'sentinel' | 'cluster'
  readonly hosts: ReadonlyArray<{ host: string, port: number }>
  readonly path: string
  readonly options: RedisOptions
}

const ADDRESS = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?#@]+)(?:\/([\w.-]*))?$/

/**
 * Reads an address: `redis://user:password@host:6379/0`, `redis+sentinel://host:26379,host:26379/master-name` or
 * `redis+cluster://host:6379,host:6379`; with `rediss` for `redis` over TLS. User and password may be percent-encoded.
 * @returns undefined where it is none
 */
export function parseAddress (url: string): Address | undefined {
  const [, scheme, kind = 'server', username, password, list, path = ''] = ADDRESS.exec(url) ?? []
  if (list === undefined) return undefined
  const hosts = list.split(',').map((text) => {
    const [, host, port = kind === 'sentinel' ? '26379' : '6379'] = /^(\[[\da-fA-F:]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(text) ?? []
    return { host: host?.replace(/[[\]]/g, '') ?? '', port: Number(port) }
  })
  if (hosts.some(({ host, port }) => host === '' || port > 65535)) return undefined
  if (kind === 'server' ? hosts.length > 1 || !/^\d*$/.test(path) : (kind === 'sentinel') !== (path !== '')) return undefined
  return {
    kind: kind as Address['kind'],
    hosts,
    path,
    options: {
      ...(username && { username: decodeURIComponent(username) }),
      ...(password !== undefined && { password: decodeURIComponent(password) }),
      ...(scheme === 'rediss' && { tls: {} })
    }
  }
}

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
    return { commands: cluster as unknown as RoomRedis, subscriber: cluster }
  }
  const place = kind === 'sentinel'
    ? { sentinels: [...hosts], name: path, sentinelRetryStrategy: pause, failoverDetector: true }
    : { ...hosts[0], db: Number(path) }
  return {
    commands: new Redis({ ...options, ...place, scripts: SCRIPTS, enableAutoPipelining: true }) as unknown as RoomRedis,
    subscriber: new Redis({ ...options, ...place })
  }
}

/** Full jitter, so that the nodes do not come back all at once. */
function pause (attempt: number): number {
  return 50 + Math.random() * Math.min(MAX_PAUSE - 50, 50 * 2 ** attempt)
}
