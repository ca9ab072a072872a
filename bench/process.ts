// The built server as a process under measurement: starts it with the given settings and no others, reads its CPU time and memory, stops it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../src/root.js'
import { freePort } from '../test/free-port.js'
import { until } from '../test/until.js'

/** Microseconds in a tick of /proc/<pid>/stat (`getconf CLK_TCK`): shorter times are not visible. */
const TICK = 1_000_000 / Number(spawnSync('getconf', ['CLK_TCK']).stdout ?? 100)

/** Collects garbage on SIGWINCH, a signal that the server does not use, so that the remaining memory is in use. */
export const COLLECT = 'data:text/javascript,process.on("SIGWINCH",()=>{gc();gc()})'

/** Builds the server, unless the build is current. */
export function build (): void {
  if (spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--if-stale'], { stdio: 'inherit' }).status !== 0) throw new Error('the build failed')
}

export class ServerUnderTest {
  readonly #child: ChildProcess
  readonly #port: number

  private constructor (child: ChildProcess, port: number) {
    this.#child = child
    this.#port = port
  }

  /** Starts a node, and waits until it is ready. The server must be built. */
  static async start (env: Record<string, string>): Promise<ServerUnderTest> {
    const port = await freePort()
    const child = spawn(process.execPath, ['--expose-gc', '--import', COLLECT, join(ROOT, 'dist/src/server.js')], {
      env: { PATH: process.env.PATH, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), REQUESTS_PER_SECOND: '0', MESSAGES_PER_SECOND: '0', DOCS: 'false', ...env },
      // Writing the log is part of the cost; its destination is not.
      stdio: 'ignore'
    })
    const server = new ServerUnderTest(child, port)
    await until('the server is ready', async () => (await fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined))?.status === 200)
    return server
  }

  get url (): string { return `ws://127.0.0.1:${this.#port}` }

  /** CPU time since its start, user and system, µs. */
  get cpu (): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    // Field 2 is the process name, which may contain spaces; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  }

  /** Resident memory after garbage collection, bytes. */
  async memory (): Promise<number> {
    this.#child.kill('SIGWINCH')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    return residentMemory(this.#child.pid!)
  }

  /** Number of open file descriptors. */
  get descriptors (): number { return readdirSync(`/proc/${this.#child.pid}/fd`).length }

  async stop (): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** Returns the resident memory of a process, bytes. */
export function residentMemory (pid: number): number { return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024 }

/** Returns the median of an odd number of figures. */
export function median (figures: readonly number[]): number { return figures.toSorted((a, b) => a - b)[figures.length >> 1]! }
