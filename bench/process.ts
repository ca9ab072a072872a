// The built server as a process that is measured: started with these settings and no others, asked for its CPU time and its memory, stopped.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../src/root.js'
import { freePort } from '../test/redis.js'
import { until } from '../test/until.js'

/** Microseconds in a tick of /proc/<pid>/stat (`getconf CLK_TCK`): what takes less cannot be seen. */
const TICK = 1_000_000 / Number(spawnSync('getconf', ['CLK_TCK']).stdout ?? 100)

/** Collects garbage when it is told to, by a signal that means nothing else to the server, so that what is left is what it holds. */
export const COLLECT = 'data:text/javascript,process.on("SIGWINCH",()=>{gc();gc()})'

/** Builds what is measured, where that is not done. */
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

  /** Starts a node and waits until it is ready. Build it before. */
  static async start (env: Record<string, string>): Promise<ServerUnderTest> {
    const port = await freePort()
    const child = spawn(process.execPath, ['--expose-gc', '--import', COLLECT, join(ROOT, 'dist/src/server.js')], {
      env: { PATH: process.env.PATH, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), REQUESTS_PER_SECOND: '0', MESSAGES_PER_SECOND: '0', DOCS: 'false', ...env },
      // What it logs is part of what it costs; where that goes is not.
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
    // The second field is a name, which may hold spaces; utime and stime are the 14th and the 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  }

  /** Resident memory once the garbage is collected, bytes. */
  async memory (): Promise<number> {
    this.#child.kill('SIGWINCH')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    return residentMemory(this.#child.pid!)
  }

  /** Open descriptors. */
  get descriptors (): number { return readdirSync(`/proc/${this.#child.pid}/fd`).length }

  async stop (): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** Bytes. */
export function residentMemory (pid: number): number { return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024 }

/** The middle of an odd number of figures. */
export function median (figures: readonly number[]): number { return figures.toSorted((a, b) => a - b)[figures.length >> 1]! }
