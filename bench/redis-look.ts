// What a Redis of our own says of itself (INFO): CPU time, commands, bytes on its network, memory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startCluster, startRedis, type RedisServer } from '../test/redis.js'

/** One look at Redis; the difference of two of them is what was done in between. */
export interface RedisLook {
  /** User and system, all threads, µs. */
  readonly cpu: number
  /** Commands that clients sent, and those that scripts ran. */
  readonly commands: number
  /** Of those, calls of a script. */
  readonly scripts: number
  /** Bytes from clients, and to them. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Bytes in use, whatever the system gave for them. */
  readonly memory: number
}

/** Writes as it should in production, but does not rewrite its file in the middle of a measurement. */
const SETTINGS = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0', '--maxmemory-policy', 'noeviction']

/** Starts a Redis and gives it to the work; whatever becomes of that, it is ended. */
export function withRedis<T> (work: (redis: RedisServer) => Promise<T>): Promise<T> { return scoped(async (scope) => work(await startRedis(scope, SETTINGS))) }

/** The same for so many shards: a cluster where there are several. */
export function withShards<T> (shards: number, work: (servers: readonly RedisServer[], url: string) => Promise<T>): Promise<T> {
  if (shards === 1) return withRedis((redis) => work([redis], redis.url))
  return scoped(async (scope) => {
    const { servers, url } = await startCluster(scope, shards, SETTINGS)
    return work(servers, url)
  })
}

/** Stands in for a test, at whose end all is ended that was started for it. */
async function scoped<T> (work: (scope: Test) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'))
  const ends: Array<() => unknown> = []
  try {
    return await work({ testdir: () => dir, teardown: (end: () => unknown) => { ends.push(end) } } as unknown as Test)
  } finally {
    for (const end of ends.reverse()) await end()
    rmSync(dir, { recursive: true, force: true })
  }
}

export async function lookAt ({ client }: RedisServer): Promise<RedisLook> {
  const text = [await client.info('cpu'), await client.info('stats'), await client.info('memory'), await client.info('commandstats')].join('\n')
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0)
  return {
    cpu: (number(/^used_cpu_user:([\d.]+)/m) + number(/^used_cpu_sys:([\d.]+)/m)) * 1_000_000,
    commands: number(/^total_commands_processed:(\d+)/m),
    scripts: number(/^cmdstat_evalsha:calls=(\d+)/m),
    bytesIn: number(/^total_net_input_bytes:(\d+)/m),
    bytesOut: number(/^total_net_output_bytes:(\d+)/m),
    memory: number(/^used_memory:(\d+)/m)
  }
}
