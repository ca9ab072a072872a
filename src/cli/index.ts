#!/usr/bin/env node
// The command line as a process: its arguments, its streams, its signals, its end.
import { run } from './run.js'

const stop = new AbortController()
// A second signal ends it at once.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
// Whoever read it has gone, as `head` does.
process.stdout.on('error', () => stop.abort())

const { env, stdout, stderr } = process
const code = await run(process.argv.slice(2), { env, stdout, stderr, signal: stop.signal, serve: () => import('../server.js') })
// Not before what was printed is out; and then whatever is still open.
if (code !== undefined) stdout.write('', () => process.exit(code))
