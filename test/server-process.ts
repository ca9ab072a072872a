// Server in a process of its own, as it ships.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ROOT } from '../src/root.js'
import { plainNode } from './plain-node.js'

export interface ServerProcess {
  readonly child: ChildProcess
  /** Output so far. */
  readonly output: () => string
  /** Part of the output that went to standard error. */
  readonly errors: () => string
  /** Exit code once the process has ended; null after a signal. */
  readonly exit: Promise<number | null>
}

export interface ProcessOptions {
  /** Folder in which the server looks for a settings file. */
  readonly cwd?: string
  /** Source of a module that runs before the server in the same process, so that a test can break the server from inside. */
  preload?: string | undefined
  /** Flags of Node.js. */
  readonly flags?: readonly string[]
  /** Limit of file descriptors. */
  readonly descriptors?: number
  /** File descriptor for standard output; without one `output` collects it. */
  readonly stdout?: number
}

/** Starts the server with these settings and no others; it may not listen yet at the return. */
export function startProcess (env: Record<string, string>, { cwd = ROOT, preload, flags = [], descriptors, stdout }: ProcessOptions = {}): ServerProcess {
  const imports = preload === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(preload)}`]
  const node = plainNode(...flags, ...imports, join(ROOT, 'dist/src/server.js'))
  // Only a shell can lower the limit; `exec` makes the server its successor, with the same process id.
  const [command, args] = descriptors === undefined ? node : ['/bin/sh', ['-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...node.flat()]]
  const child = spawn(command, args, {
    cwd,
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      // One socket sends the load of many clients, so the rate limit is off.
      MESSAGES_PER_SECOND: '0',
      ...env
    },
    stdio: ['ignore', stdout ?? 'pipe', 'pipe']
  })
  let output = ''
  let errors = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => { output += String(chunk) })
  child.stderr!.on('data', (chunk) => { errors += String(chunk) })
  return { child, output: () => output, errors: () => errors, exit: once(child, 'close').then(([code]) => code as number | null) }
}
