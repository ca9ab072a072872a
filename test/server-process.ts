// The server as a process of its own, as it ships.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ROOT } from '../src/root.js'
import { plainNode } from './plain-node.js'

export interface ServerProcess {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly output: () => string
  /** The part of it that went to standard error. */
  readonly errors: () => string
  /** Its exit code once it has ended; null where a signal ended it. */
  readonly exit: Promise<number | null>
}

export interface ProcessOptions {
  /** Where it looks for a settings file. */
  readonly cwd?: string
  /** A module's source that is run in it before the server, so that a test can break it from inside. */
  readonly preload?: string
  /** Flags of Node.js. */
  readonly flags?: readonly string[]
  /** How many file descriptors it may have. */
  readonly descriptors?: number
  /** Where its standard output leads; otherwise it is kept. */
  readonly stdout?: number
}

/** Starts the server with these settings and no others; it may not listen yet. */
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
      // Under load one socket stands for many; what the limit does is tested where it is on.
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
