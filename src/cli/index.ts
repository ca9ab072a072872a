#!/usr/bin/env node
// Entry point of the command line: passes the arguments, streams and signals of the process to `run`.
import { run } from './run.js'

const stop = new AbortController()
// A second signal ends the process at once.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
// The reader of the pipe has exited, as `head` does.
process.stdout.on('error', () => stop.abort())

const { env, stdout, stderr } = process
const code = await run(process.argv.slice(2), { env, stdout, stderr, signal: stop.signal, serve: () => import('../server.js') })
// Exit once stdout is flushed, even if handles are still open.
if (code !== undefined) stdout.write('', () => process.exit(code))
