// Statistics of a Redis under measurement, from INFO: CPU time, commands, bytes on its network, memory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startCluster, startRedis, type RedisServer } from '../test/redis.js'

/** Snapshot of the statistics; the difference of two is the work in between. */
export interface RedisLook {
  /** CPU time, user and system, all threads, µs. */
  readonly cpu: number
  /** Commands sent by clients and run by scripts. */
  readonly commands: number
  /** Calls of a script among these commands. */
  readonly scripts: number
  /** Bytes received from clients, and sent to them. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Bytes in use (`used_memory`), regardless of what the allocator holds. */
  readonly memory: number
}

/** Persistence as in production, but no rewrite of the AOF during a measurement. */
const SETTINGS = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0', '--maxmemory-policy', 'noeviction']

/** Starts a Redis, runs the work with it, and stops it even if the work fails. */
export function withRedis<T> (work: (redis: RedisServer) => Promise<T>): Promise<T> { return scoped(async (scope) => work(await startRedis(scope, SETTINGS))) }

/** The same for a number of shards: a cluster if there are several. */
export function withShards<T> (shards: number, work: (servers: readonly RedisServer[], url: string) => Promise<T>): Promise<T> {
  if (shards === 1) return withRedis((redis) => work([redis], redis.url))
  return scoped(async (scope) => {
    const { servers, url } = await startCluster(scope, shards, SETTINGS)
    return work(servers, url)
  })
}

/** Runs the work with a stand-in for a test, and runs the teardowns that were registered with it. */
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
