// What a Redis of our own says of itself (INFO): CPU time, commands, bytes on its network, memory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startRedis, type RedisServer } from '../test/redis.js'

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
export const SETTINGS = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0', '--maxmemory-policy', 'noeviction']

/** Starts a Redis and gives it to the work; whatever becomes of that, it is ended. */
export async function withRedis<T> (work: (redis: RedisServer) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'))
  const ends: Array<() => unknown> = []
  try {
    return await work(await startRedis({ testdir: () => dir, teardown: (end: () => unknown) => { ends.push(end) } } as unknown as Test, SETTINGS))
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
