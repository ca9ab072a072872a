// The command line within a test: run in this process, on a terminal or into a pipe, and stopped with the test.
import type { Test } from 'tap'
import { run } from '../../src/cli/run.js'
import type { Environment } from '../../src/client/index.js'
import { until } from '../until.js'

export interface CliOptions {
  readonly env?: Record<string, string>
  /** True if the output is a terminal. */
  readonly isTTY?: boolean
  readonly serve?: () => Promise<unknown>
}

export interface Cli {
  readonly exit: Promise<number | undefined>
  readonly stdout: () => string
  readonly stderr: () => string
  /** Facts printed as JSON lines. */
  readonly facts: () => any[]
  /** Waits for a match on standard output. */
  readonly says: (what: RegExp) => Promise<void>
  /** Stops the command as Ctrl-C does. */
  readonly stop: () => void
}

/** Removes the jitter, so that the client reconnects as soon as it may. */
const PROMPT: Partial<Environment> = { random: () => 0 }
/** Timeout for a slow machine, s, where a test sets none. */
const PATIENCE = ['--timeout', '60']

export function cli (t: Test, args: string[], { env = {}, isTTY = false, serve = async () => {} }: CliOptions = {}): Cli {
  const written = { stdout: '', stderr: '' }
  const output = (name: keyof typeof written) => ({ isTTY, write: (text: string) => { written[name] += text } })
  const stop = new AbortController()
  const isPatient = args.includes('--url') && !args.includes('--timeout')
  const exit = run([...args, ...(isPatient ? PATIENCE : [])], { env, stdout: output('stdout'), stderr: output('stderr'), signal: stop.signal, serve, platform: PROMPT })
  t.teardown(async () => {
    stop.abort()
    await exit
  })
  return {
    exit,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    facts: () => written.stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line)),
    says: async (what) => { await until(() => `${what} in: ${written.stdout}${written.stderr}`, () => what.test(written.stdout)) },
    stop: () => stop.abort()
  }
}
