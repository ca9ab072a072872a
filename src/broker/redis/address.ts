// Parses REDIS_URL: a server, a Unix socket, Sentinel or a cluster. Imports only types of ioredis, so that a server without Redis never loads it.
import { isIPv6 } from 'node:net'
import type { RedisOptions } from 'ioredis'

export interface Address {
  readonly kind: 'server' | 'sentinel' | 'cluster'
  /** Addresses of the server, the Sentinels, or some nodes of the cluster; empty if `options.path` is a Unix socket. */
  readonly hosts: ReadonlyArray<{ host: string, port: number }>
  /** Name of the master for Sentinel; otherwise empty. */
  readonly name: string
  readonly options: RedisOptions
}

const ADDRESS = /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster|unix))?:\/\/(?:(?<username>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<list>[^/?#@]*)(?:\/(?<path>[^?#]*))?(?:\?(?<query>.*))?$/

/** Highest database number of Redis. */
const MAX_DATABASE = 2_147_483_647

const FORMS = 'must be redis://host:6379, redis+sentinel://host:26379,…/name, redis+cluster://host:6379,… or redis+unix:///path; rediss for TLS'

/**
 * Parses an address: `redis://user:password@host:6379/0`, `redis+sentinel://host:26379,host:26379/master-name`,
 * `redis+cluster://host:6379,host:6379` or `redis+unix:///path/to/redis.sock?db=0`; with `rediss` for `redis` over TLS.
 * User, password and the path of a socket may be percent-encoded.
 * @returns the address, or the rule that the text violates: the predicate of a sentence about the setting, without any part of the address
 */
export function parseAddress (url: string): Address | string {
  const { scheme, kind = 'server', username, password, list = '', path = '', query } = ADDRESS.exec(url)?.groups ?? {}
  if (scheme === undefined) return FORMS
  const [user, secret, socket] = [username, password, path].map(decoded)
  if (user === null || secret === null || socket === null) return 'must have a percent-encoded user and password'
  const options: RedisOptions = {
    ...(user && { username: user }),
    ...(secret !== undefined && { password: secret }),
    ...(scheme === 'rediss' && { tls: {} })
  }
  if (kind === 'unix') {
    if (options.tls) return 'must not be rediss+unix: there is no TLS on a Unix socket'
    const database = databaseOf(/^db=(.*)$/.exec(query ?? 'db=')?.[1])
    if (list !== '' || socket === '' || database === undefined) return `must be redis+unix:///path or redis+unix:///path?db=1, with a number from 0 to ${MAX_DATABASE}`
    return { kind: 'server', hosts: [], name: '', options: { ...options, path: `/${socket}`, db: database } }
  }
  const hosts = hostsOf(list, kind === 'sentinel' ? 26379 : 6379)
  if (!hosts || query !== undefined) return FORMS
  if (kind === 'cluster') return path === '' ? { kind, hosts, name: '', options } : 'must not name a database: a cluster has only database 0'
  if (kind === 'sentinel') return /^[\w.-]+$/.test(path) ? { kind, hosts, name: path, options } : 'must end with the name of the master: redis+sentinel://host:26379,…/name'
  if (hosts.length > 1) return FORMS
  const database = databaseOf(path)
  if (database === undefined) return `must name the database by a number from 0 to ${MAX_DATABASE}: redis://host:6379/1`
  return { kind: 'server', hosts, name: '', options: { ...options, db: database } }
}

/** @returns undefined if an entry has an invalid host or port */
function hostsOf (list: string, defaultPort: number): Address['hosts'] | undefined {
  const hosts = list.split(',').map((text) => {
    const [, ipv6 = '', name = '', port = defaultPort] = /^(?:\[([^\]]*)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text) ?? []
    return { host: isIPv6(ipv6) ? ipv6 : name, port: Number(port) }
  })
  return hosts.every(({ host, port }) => host !== '' && port > 0 && port < 65536) ? hosts : undefined
}

/** @returns the database number, 0 for an empty text; undefined if the text is no database number */
function databaseOf (text: string | undefined): number | undefined {
  return text !== undefined && /^\d{0,10}$/.test(text) && Number(text) <= MAX_DATABASE ? Number(text) : undefined
}

/** @returns null if the percent-encoding is invalid */
function decoded (text: string | undefined): string | undefined | null {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return null
  }
}
