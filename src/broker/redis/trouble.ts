// Reasons why Redis cannot be used: turns errors of Redis, the network or the client into plain words. Raw messages stay in this file: they may quote a payload.

/** `unreachable`: no usable connection. `refused`: Redis answers, but refuses a command that rooms need. `error`: any other error of a command. */
export interface Trouble {
  readonly kind: 'unreachable' | 'refused' | 'error'
  /** Error code of Redis or of the operating system, such as `OOM` or `ECONNREFUSED`. */
  readonly code: string
  /** A clause about Redis: "it refuses writes: out of memory (maxmemory)". Contains no host, name or secret. */
  readonly reason: string
  /** Shard of a cluster, `host:port`. */
  readonly shard?: string
}

/** The connection closed without a known cause. */
export const LOST: Trouble = { kind: 'unreachable', code: 'CLOSED', reason: 'the connection was lost' }

/** Not connected yet. */
export const CONNECTING: Trouble = { kind: 'unreachable', code: 'CONNECTING', reason: 'it is not connected yet' }

type Row = readonly [pattern: RegExp, kind: Trouble['kind'], code: string, reason: string]

/** Known errors; the first row that matches `code message` applies. */
const ROWS: readonly Row[] = [
  [/\b(ENOTFOUND|EAI_AGAIN)\b/, 'unreachable', '', 'its host name cannot be resolved'],
  [/\bECONNREFUSED\b/, 'unreachable', '', 'the connection is refused: nothing listens on that port'],
  [/\b(EHOSTUNREACH|ENETUNREACH)\b/, 'unreachable', '', 'there is no route to its host'],
  [/\b(ERR_TLS_CERT_ALTNAME_INVALID)\b/, 'unreachable', '', 'its TLS certificate names another host'],
  [/\b(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)\b/, 'unreachable', '', 'its TLS certificate has expired, or is not valid yet'],
  [/\b(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+)\b/, 'unreachable', '', 'its TLS certificate is not trusted'],
  [/\b(EPROTO|ERR_SSL_\w+)\b/, 'unreachable', '', 'the TLS handshake failed'],
  [/\b(ETIMEDOUT)\b|^timeout$|Socket timeout|Command timed out/, 'unreachable', 'ETIMEDOUT', 'it does not answer'],
  [/\b(ECONNRESET|EPIPE|ECONNABORTED)\b/, 'unreachable', '', 'it closed the connection'],
  [/\bWRONGPASS\b/, 'unreachable', 'WRONGPASS', 'the user name or the password is wrong'],
  [/invalid password/, 'unreachable', 'WRONGPASS', 'the user name or the password is wrong'],
  [/\bNOAUTH\b/, 'unreachable', 'NOAUTH', 'it requires a password, and REDIS_URL has none'],
  [/\bDENIED\b/, 'unreachable', 'DENIED', 'it is in protected mode: it has no password and accepts only local connections'],
  [/max number of clients/, 'unreachable', 'MAXCLIENTS', 'it has reached its connection limit (maxclients)'],
  [/cluster support disabled/, 'unreachable', 'NOCLUSTER', 'it is not a cluster: REDIS_URL must begin with redis:// or rediss://'],
  [/No such master/, 'unreachable', 'NOMASTER', 'Sentinel has no master with that name'],
  [/unknown command ['`]?sentinel/i, 'unreachable', 'NOSENTINEL', 'it is not a Sentinel'],
  [/DB index is out of range|invalid DB index/, 'unreachable', 'NODATABASE', 'it has no database with that number'],
  [/SELECT is not allowed in cluster mode/, 'unreachable', 'NODATABASE', 'it is a cluster, which has only database 0'],
  [/\bLOADING\b/, 'refused', 'LOADING', 'it is loading its data'],
  [/\bOOM\b/, 'refused', 'OOM', 'it refuses writes: out of memory (maxmemory)'],
  [/\bNOREPLICAS\b/, 'refused', 'NOREPLICAS', 'it refuses writes: too few replicas are connected (min-replicas-to-write)'],
  [/\bREADONLY\b/, 'refused', 'READONLY', 'it refuses writes: it is a replica'],
  [/\bMISCONF\b/, 'refused', 'MISCONF', 'it refuses writes: it cannot save to its disk (MISCONF)'],
  [/\bMASTERDOWN\b/, 'refused', 'MASTERDOWN', 'it is a replica, and its master is down'],
  [/\bCLUSTERDOWN\b/, 'refused', 'CLUSTERDOWN', 'the cluster is down, or some of its slots have no master'],
  [/\bMOVED\b/, 'refused', 'MOVED', 'it is part of a cluster: REDIS_URL must begin with redis+cluster:// or rediss+cluster://'],
  [/\bBUSY\b/, 'refused', 'BUSY', 'it is busy with a script'],
  [/Connection is closed|Stream isn't writeable|isn't ready|Protocol error/, 'unreachable', LOST.code, LOST.reason]
]

/** Errors of Redis that name a command which the ACL does not permit, or which Redis does not know. */
const COMMAND = /no permissions to run the '([\w|]+)' command/
const UNKNOWN_COMMAND = /unknown command ['`]?([\w|]+)/i
/** ACL errors of a command inside a script. Redis 7.0 does not name the command, and no version names the key. */
const IN_SCRIPT = /user executing the script can't|no permissions/i

/** Display form of a command: `INFO`, `CLUSTER SLOTS`. */
const displayName = (command: string): string => command.replace('|', ' ').toUpperCase()

/** Trouble for rights that the user of REDIS_URL lacks. @param rights commands as Redis names them, or "keys" and "channels" with their pattern */
export function missing (rights: readonly string[]): Trouble {
  return { kind: 'refused', code: 'NOPERM', reason: `the ACL does not permit ${[...new Set(rights)].join(', ')}` }
}

/**
 * Explains the failure of a command or a connection.
 * @param error the client's error
 * @param rights the requested rights, for an error that does not name them
 */
export function troubleOf (error: unknown, rights = 'a command, a key or a channel'): Trouble {
  const { code, message = '', lastNodeError } = (error ?? {}) as { code?: unknown, message?: string, lastNodeError?: unknown }
  if (lastNodeError) return troubleOf(lastNodeError, rights)
  const text = `${typeof code === 'string' ? `${code} ` : ''}${message}`
  const [, command] = COMMAND.exec(text) ?? []
  if (command !== undefined) return missing([displayName(command)])
  if (IN_SCRIPT.test(text)) return missing([rights])
  for (const [pattern, kind, name, reason] of ROWS) {
    const match = pattern.exec(text)
    if (match) return { kind, code: name || match[0], reason }
  }
  const [, unknown] = UNKNOWN_COMMAND.exec(text) ?? []
  if (unknown !== undefined || text.includes('Unknown Redis command')) {
    return { kind: 'refused', code: 'UNKNOWN', reason: `it does not support ${unknown === undefined ? rights : displayName(unknown)}: Redis 7.0 or newer is required` }
  }
  const errorCode = typeof code === 'string' ? code : /^[A-Z]{2,}\b/.exec(message)?.[0] ?? 'ERR'
  return { kind: 'error', code: errorCode, reason: `it returned an error (${errorCode})` }
}
