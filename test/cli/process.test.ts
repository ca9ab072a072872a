// The command line as a process: streams, signals, exit codes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { plainNode } from '../plain-node.js'
import { until } from '../until.js'

function start (t: Test, args: string[], env: Record<string, string> = {}) {
  const child = spawn(...plainNode(join(ROOT, 'dist/src/cli/index.js'), ...args, ...(args.includes('--url') ? ['--timeout', '60'] : [])), {
    cwd: t.testdir({}),
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => { written[name] += String(chunk) })
  const says = (what: RegExp) => until(() => `${what} in: ${written.stdout}${written.stderr}`, () => what.test(written.stdout), 60_000)
  return { child, written, says, exit: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string) }
}

t.test('The command line starts the server, joins and sends; Ctrl-C ends each process cleanly', async (t) => {
  const server = start(t, ['--port', '0', '--host', '127.0.0.1'], { PORT: '1', NODE_ENV: 'production' })
  await server.says(/server started at ws:/)
  const url = /ws:\/\/127\.0\.0\.1:\d+/.exec(server.written.stdout)![0]
  const shop = start(t, ['join', 'r', '--url', url])
  await shop.says(/online/)
  const phone = start(t, ['send', 'r', 'PAYMENT_SUCCESS', '--amount', '99.90', '--transaction-id', 'tx_1', '--url', url])
  t.equal(await phone.exit, 0, phone.written.stderr)
  t.match(JSON.parse(phone.written.stdout), { kind: 'receipt', seq: 1, duplicate: false })
  await shop.says(/PAYMENT_SUCCESS/)
  shop.child.kill('SIGINT')
  t.equal(await shop.exit, 0)
  t.equal(shop.written.stderr, '')
  server.child.kill('SIGINT')
  t.equal(await server.exit, 0)
})

t.test('Exit codes and streams are set by the process', async (t) => {
  const wrong = start(t, ['join', 'r', '--nope'])
  t.equal(await wrong.exit, 64)
  t.match(wrong.written, { stdout: '', stderr: /Unknown option '--nope'/ })
  const settings = start(t, ['start'], { PORT: 'x' })
  t.equal(await settings.exit, 78)
  t.match(settings.written.stderr, 'settings: PORT must be integer')
})

t.test('A process whose reader closes the pipe exits with 0', async (t) => {
  const { url, app } = await listen(t)
  const shop = start(t, ['join', 'r', '--url', url])
  await shop.says(/online/)
  shop.child.stdout.destroy()
  for (let n = 0; n < 2; n++) await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'CLICKED_PAY' } })
  t.equal(await shop.exit, 0)
  t.equal(shop.written.stderr, '')
})
