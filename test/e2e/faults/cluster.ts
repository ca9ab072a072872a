// The nodes of fault tests: two and their Redis, each with a connection of its own to it, or a single one, and clients behind a proxy of theirs.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import type { Test } from 'tap'
import { API_KEY, marked, PASSWORD } from '../../log-marks.js'
import { freePort } from '../../free-port.js'
import { startRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'
import { startProcess, type ProcessOptions, type ServerProcess } from '../../server-process.js'
import { Proxy } from './proxy.js'

/** Part of a test that is used here, so that the soak can do without one. */
export type Scope = Pick<Test, 'testdir' | 'teardown'>

/** Value of `skip` for tests that read /proc: the reason why they cannot run here, or false. */
export const withoutProc: string | false = existsSync('/proc/self/fd') ? false : 'no /proc on this machine'

/** Time within which a process or Redis recovers by itself, ms; the server promises to be back by then. */
export const RECOVERY = 15_000

/** Log messages that only a bug causes. */
const BUGS = /"(broker failed|session failed|message handling failed|room update failed|broker maintenance failed|server failed, stopping)"/

/** One server process. */
export class Node {
  /** Number of its file descriptors when it was ready and idle. */
  baseline = 0
  #process: ServerProcess | undefined
  /** Log of its earlier processes. */
  #past = ''

  /**
   * @param proxy the connection that can be broken: to Redis, or from its clients
   * @param entrance port to which its clients connect
   */
  constructor (
    readonly name: string, readonly port: number, readonly proxy: Proxy, readonly env: Record<string, string>,
    readonly options: ProcessOptions = {}, readonly entrance = port
  ) {}

  get url (): string { return `ws://127.0.0.1:${this.entrance}` }
  get pid (): number { return this.#process!.child.pid! }
  get isAlive (): boolean { return this.#process?.child.exitCode === null && this.#process.child.signalCode === null }
  /** Log of all its processes. */
  get output (): string { return this.#past + (this.#process?.output() ?? '') }
  /** Lines of the log that report a bug. */
  get bugs (): string[] { return this.output.split('\n').filter((line) => BUGS.test(line)) }

  /** Lines of the log with a payload, a key or a secret of the load in them. */
  get leaks (): string[] { return marked(this.output) }

  /** Starts the process and waits until it listens, whether Redis connected or not. */
  async boot (): Promise<void> {
    this.#past = this.output
    this.#process = startProcess({
      NODE_ENV: 'production',
      PORT: String(this.port),
      // Every level is logged, so that the test sees that no payload is.
      LOG_LEVEL: 'trace',
      API_KEYS: API_KEY,
      PRESENCE_GRACE_SECONDS: '1',
      SHUTDOWN_GRACE_SECONDS: '5',
      REQUESTS_PER_SECOND: '0',
      // The load is faster than any device.
      MESSAGES_PER_SECOND: '0',
      ...this.env
    }, this.options)
    await until(() => `${this.name} listens; its output: ${this.output}`, async () => await this.status('/health') === 200, 60_000)
  }

  /** Starts the process and waits until it is ready for traffic. */
  async start (): Promise<void> {
    await this.boot()
    await this.ready()
    this.baseline = this.descriptors
  }

  /** @returns the time until /ready answered 200, ms */
  async ready (): Promise<number> { return until(`${this.name} is ready`, async () => await this.status('/ready') === 200, RECOVERY) }

  signal (signal: NodeJS.Signals): void { this.#process?.child.kill(signal) }

  /** Closes the reading end of its standard output. */
  closeOutput (): void { this.#process?.child.stdout?.destroy() }

  /** @returns its exit code, null where the signal ended it */
  async kill (signal: NodeJS.Signals): Promise<number | null> {
    this.signal(signal)
    return await this.#process?.exit ?? null
  }

  /** @returns the status of the answer, or 0 if there is none */
  async status (path: string): Promise<number> { return (await get(this.port, path)).status }

  async figures (): Promise<{ totalConnections: number, totalRooms: number }> {
    return (JSON.parse((await get(this.port, '/api/server/status')).body) as { data: { totalConnections: number, totalRooms: number } }).data
  }

  get descriptors (): number { return readdirSync(`/proc/${this.pid}/fd`).length }
  /** Resident memory, MiB. */
  get memory (): number { return this.#memory('VmRSS') }
  /** Highest resident memory so far, MiB. */
  get peakMemory (): number { return this.#memory('VmHWM') }
  /** CPU time so far, ms. */
  get cpu (): number {
    // Fields are counted after the name, which may hold anything: the 12th and 13th, in hundredths of a second (proc(5)).
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  #memory (what: string): number { return Math.round(Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) / 1024) }
}

export interface Nodes {
  readonly dir: string
  readonly nodes: readonly Node[]
}

export interface Cluster extends Nodes {
  readonly redis: RedisServer
  readonly nodes: readonly [Node, Node]
  /** Starts another Redis, which ends with the test. */
  startRedis: (args: string[]) => Promise<RedisServer>
}

/**
 * Starts Redis, and makes two nodes for it, which are not started yet.
 * @param redisArgs further settings of Redis
 * @param env further settings of the nodes
 */
export async function prepare (scope: Scope, redisArgs: string[] = [], env: Record<string, string> = {}): Promise<Cluster> {
  const dir = scope.testdir({})
  const start = (args: string[]) => startRedis(scope as Test, ['--requirepass', PASSWORD, '--masterauth', PASSWORD, ...args], { password: PASSWORD })
  const redis = await start(redisArgs)
  const nodes = await Promise.all(['a', 'b'].map(async (name) => {
    const proxy = await Proxy.start(redis.port)
    const node = new Node(name, await freePort(), proxy, { REDIS_URL: `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${proxy.port}`, ...env })
    scope.teardown(async () => {
      if (node.isAlive) await node.kill('SIGKILL')
      await proxy.close()
    })
    return node
  }))
  return { dir, redis, nodes: nodes as [Node, Node], startRedis: start }
}

/** Starts Redis and two nodes, and waits until both are ready. */
export async function startNodes (scope: Scope, redisArgs?: string[], env?: Record<string, string>): Promise<Cluster> {
  const cluster = await prepare(scope, redisArgs, env)
  await Promise.all(cluster.nodes.map((node) => node.start()))
  return cluster
}

/**
 * Starts one node that has its rooms in its own memory, and whose clients connect through its proxy.
 * @param env further settings of the node
 */
export async function startNode (scope: Scope, env: Record<string, string> = {}, options: ProcessOptions = {}): Promise<Nodes & { readonly node: Node }> {
  const dir = scope.testdir({})
  const port = await freePort()
  const proxy = await Proxy.start(port)
  const node = new Node('node', port, proxy, env, options, proxy.port)
  scope.teardown(async () => {
    if (node.isAlive) await node.kill('SIGKILL')
    await proxy.close()
  })
  await node.start()
  return { dir, nodes: [node], node }
}

async function get (port: number, path: string): Promise<{ status: number, body: string }> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path, headers: { authorization: `Bearer ${API_KEY}` }, agent: false, timeout: 5_000 }, (response) => {
      let body = ''
      response.on('data', (chunk) => { body += String(chunk) })
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve({ status: 0, body: '' }))
  })
}
