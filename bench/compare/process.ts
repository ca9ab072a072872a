// Processes of a contestant: starts them on one CPU, reads their CPU time and memory, stops them.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/free-port.js'
import { until } from '../../test/until.js'
import { measuredFolder } from '../disk.js'
import { COLLECT, residentMemory } from '../process.js'
import type { Contestant, Dialect } from './contestants.js'

/** CPU of all contestants, and CPU of the load generator. */
export const [SERVERS, DRIVER] = [0, 1]

/** Pins a process and its threads to a CPU. */
export function pin (pid: number, cpu: number): void { spawnSync('taskset', ['-acp', String(cpu), String(pid)]) }

export class Running {
  readonly name: string
  readonly dialect: Dialect
  readonly #children: ChildProcess[] = []
  readonly #ports: number[] = []
  /** Processes that are measured, Redis included where there is one. */
  readonly #pids: number[] = []
  readonly #folder: string | undefined

  private constructor ({ name, dialect, hasJournal }: Contestant) {
    this.#folder = hasJournal === true ? measuredFolder() : undefined
    this.name = name
    this.dialect = dialect
  }

  /** @param redis the Redis of the contestants that use one */
  static async start (contestant: Contestant, redis: { readonly url: string, readonly pid: number }): Promise<Running> {
    const running = new Running(contestant)
    for (let node = 0; node < Math.max(1, contestant.nodes); node++) await running.#spawn(contestant, contestant.nodes > 0 ? { REDIS_URL: redis.url, REDIS_PREFIX: contestant.name.replaceAll(/\W/g, '') } : {})
    if (contestant.nodes > 0) running.#pids.push(redis.pid)
    return running
  }

  /** Port that device 1 connects to, and port that device 2 connects to. */
  get ports (): [number, number] { return [this.#ports[0]!, this.#ports.at(-1)!] }

  /** CPU time of all threads, µs. */
  get cpu (): number {
    return this.#pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/task`).reduce((time, thread) => time + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]), 0), 0) / 1000
  }

  /** Resident memory after garbage collection, bytes. */
  async memory (): Promise<number> {
    for (const child of this.#children) child.kill('SIGWINCH')
    // Long enough: the largest process, 170 MiB, releases no more memory after a quarter of this time.
    await sleep(1_000)
    return this.#pids.reduce((sum, pid) => sum + residentMemory(pid), 0)
  }

  async stop (): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }

  async #spawn ({ file, env }: Contestant, settings: Record<string, string>): Promise<void> {
    const port = await freePort()
    const child = spawn('taskset', ['-c', String(SERVERS), process.execPath, '--expose-gc', '--import', COLLECT, file], {
      env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), ...(this.#folder !== undefined && { DATA_DIR: this.#folder }), ...env, ...settings },
      stdio: 'ignore'
    })
    this.#children.push(child)
    this.#ports.push(port)
    this.#pids.push(child.pid!)
    await until(`${this.name} listens`, () => new Promise<boolean>((resolve) => {
      const probe = connect(port, '127.0.0.1', () => {
        probe.destroy()
        resolve(true)
      }).on('error', () => resolve(false))
    }))
  }
}

/** Returns the busy time of the contestants' CPU since boot, all processes included, µs. */
export function busyTime (): number {
  const [user, nice, system, , , irq, softirq] = new RegExp(`^cpu${SERVERS} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))![1]!.trim().split(' ').map(Number)
  return (user! + nice! + system! + irq! + softirq!) * 10_000
}
