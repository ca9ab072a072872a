// Two nodes and their Redis for fault tests, each node on a way of its own to it.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { ROOT } from '../../../src/root.js'
import { freePort, startRedis, type RedisServer } from '../../redis.js'
import { Proxy } from './proxy.js'

/** What is needed of a test, so that the soak can do without one. */
export type Scope = Pick<Test, 'testdir' | 'teardown'>

/** How long a process or Redis may take for what it does by itself, ms; it is a promise of the server that it is back by then. */
export const RECOVERY = 15_000

/** Sentences that only a bug puts into the log. */
const BUGS = /"(broker failed|session failed|frame failed|room could not be kept up to date|broker could not do what is due|server failed, stopping)"/

/** Waits until something is true. @returns how long it took, ms */
export async function within (limit: number, what: string, condition: () => boolean | Promise<boolean>): Promise<number> {
  const begin = Date.now()
  while (!await condition()) {
    if (Date.now() - begin > limit) throw new Error(`not within ${limit} ms: ${what}`)
    await sleep(30)
  }
  return Date.now() - begin
}

/** One server process. */
export class Node {
  /** What it logged, over all its lives. */
  output = ''
  /** File descriptors that it had when it was ready and idle. */
  baseline = 0
  #child: ChildProcess | undefined
  #exit: Promise<number | null> = Promise.resolve(null)

  constructor (readonly name: string, readonly port: number, readonly proxy: Proxy, readonly env: Record<string, string>) {}

  get url (): string { return `ws://127.0.0.1:${this.port}` }
  get pid (): number { return this.#child!.pid! }
  get isAlive (): boolean { return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null }
  /** Lines of the log that tell of a bug. */
  get bugs (): string[] { return this.output.split('\n').filter((line) => BUGS.test(line)) }

  /** Starts the process and waits until it listens, whether Redis is there or not. */
  async boot (): Promise<void> {
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), join(ROOT, 'src/server.ts')], {
      env: {
        PATH: process.env.PATH,
        FASTIFY_AUTOLOAD_TYPESCRIPT: '1',
        // Its lines are compiled by another loader; counted together with those of the tests they would blur the coverage of both.
        NODE_V8_COVERAGE: '',
        _TAPJS_PROCESSINFO_COVERAGE_: '0',
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: String(this.port),
        REDIS_URL: `redis://127.0.0.1:${this.proxy.port}`,
        PRESENCE_GRACE_SECONDS: '1',
        SHUTDOWN_GRACE_SECONDS: '5',
        ...this.env
      },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#child = child
    this.#exit = once(child, 'close').then(([code]) => code as number | null)
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { this.output += String(chunk) })
    await within(30_000, `${this.name} listens; it said: ${this.output}`, async () => await this.status('/health') === 200)
  }

  /** Starts the process and waits until it is ready for traffic. */
  async start (): Promise<void> {
    await this.boot()
    await this.ready()
    this.baseline = this.descriptors
  }

  /** @returns how long it took until /ready said so, ms */
  async ready (): Promise<number> { return within(RECOVERY, `${this.name} is ready`, async () => await this.status('/ready') === 200) }

  /** @returns its exit code, null where the signal ended it */
  async kill (signal: NodeJS.Signals): Promise<number | null> {
    this.#child?.kill(signal)
    return this.#exit
  }

  /** @returns the status of the answer, or 0 where there is none */
  async status (path: string): Promise<number> { return (await get(this.port, path)).status }

  async figures (): Promise<{ totalConnections: number, totalRooms: number }> {
    return (JSON.parse((await get(this.port, '/api/server/status')).body) as { data: { totalConnections: number, totalRooms: number } }).data
  }

  get descriptors (): number { return readdirSync(`/proc/${this.pid}/fd`).length }
  /** Resident memory, MiB. */
  get memory (): number { return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) / 1024) }
}

export interface Cluster {
  readonly dir: string
  readonly redis: RedisServer
  readonly nodes: readonly [Node, Node]
  /** Another Redis, which ends with the test. */
  startRedis: (args: string[]) => Promise<RedisServer>
}

/**
 * Starts Redis, and makes two nodes for it, which are not started yet.
 * @param redisArgs further settings of Redis
 * @param env further settings of the nodes
 */
export async function prepare (scope: Scope, redisArgs: string[] = [], env: Record<string, string> = {}): Promise<Cluster> {
  const dir = scope.testdir({})
  const start = (args: string[]) => startRedis(scope as Test, args)
  const redis = await start(redisArgs)
  const nodes = await Promise.all(['a', 'b'].map(async (name) => {
    const proxy = await Proxy.start(redis.port)
    const node = new Node(name, await freePort(), proxy, env)
    scope.teardown(async () => {
      if (node.isAlive) await node.kill('SIGKILL')
      await proxy.close()
    })
    return node
  }))
  return { dir, redis, nodes: nodes as [Node, Node], startRedis: start }
}

/** The same, with both nodes ready. */
export async function startNodes (scope: Scope, redisArgs?: string[], env?: Record<string, string>): Promise<Cluster> {
  const cluster = await prepare(scope, redisArgs, env)
  await Promise.all(cluster.nodes.map((node) => node.start()))
  return cluster
}

async function get (port: number, path: string): Promise<{ status: number, body: string }> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false, timeout: 5_000 }, (response) => {
      let body = ''
      response.on('data', (chunk) => { body += String(chunk) })
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve({ status: 0, body: '' }))
  })
}
