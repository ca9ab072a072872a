// The command line within a test: run in this process, on a terminal or into a pipe, and stopped with the test.
import type { Test } from 'tap'
import { run } from '../../src/cli/run.js'
import type { Environment } from '../../src/client/index.js'
import { until } from '../until.js'

export interface CliOptions {
  readonly env?: Record<string, string>
  /** Whether somebody looks at it. */
  readonly isTTY?: boolean
  readonly serve?: () => Promise<unknown>
}

export interface Cli {
  readonly exit: Promise<number | undefined>
  readonly stdout: () => string
  readonly stderr: () => string
  /** What was written for programs. */
  readonly facts: () => any[]
  /** Waits for something on standard output. */
  readonly says: (what: RegExp) => Promise<void>
  /** As Ctrl-C does. */
  readonly stop: () => void
}

/** It comes back as soon as it may. */
const PROMPT: Partial<Environment> = { random: () => 0 }
/** How long a slow machine may need for an answer, s, where a test does not say it. */
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
