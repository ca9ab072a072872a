// Where Redis is: one server, Sentinel or a cluster, in one line. Without the client itself, which a server that needs no Redis never loads.
import type { RedisOptions } from 'ioredis'

export interface Address {
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
  if (hosts.some(({ host, port }) => host === '' || port < 1 || port > 65535)) return undefined
  if (kind === 'server' ? hosts.length > 1 || !/^\d*$/.test(path) : (kind === 'sentinel') !== (path !== '')) return undefined
  const [user, secret] = [username, password].map(decoded)
  if (user === null || secret === null) return undefined
  return {
    kind: kind as Address['kind'],
    hosts,
    path,
    options: {
      ...(user && { username: user }),
      ...(secret !== undefined && { password: secret }),
      ...(scheme === 'rediss' && { tls: {} })
    }
  }
}

/** @returns null where the percent-encoding is broken */
function decoded (text: string | undefined): string | undefined | null {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return null
  }
}
