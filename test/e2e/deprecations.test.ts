// Deprecated parts of Node.js are used neither by the server nor by its dependencies: nothing is printed under --pending-deprecation, and nothing stops under
// --throw-deprecation. CI runs it on each supported version.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { Peer } from '../peer.js'
import { plainNode } from '../plain-node.js'
import { startRedis, withoutRedis } from '../redis.js'
import { startProcess } from '../server-process.js'
import { until } from '../until.js'
import { fragments, handshake, RawPeer } from './hostile/raw.js'

const PENDING = ['--pending-deprecation']
const THROWING = ['--pending-deprecation', '--throw-deprecation']

/** An OpenTelemetry collector that accepts every request. */
async function collector (t: Test): Promise<{ url: string, requests: () => number }> {
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    request.resume().on('end', () => response.end('{}'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests: () => requests }
}

/** Uses every feature of the server for its clients once. */
async function useEverything (t: Test, url: string, flags: readonly string[]): Promise<void> {
  const api = url.replace('ws:', 'http:')
  const [shop, phone] = [await Peer.connect(t, url), await Peer.connect(t, url)]
  await shop.join('payment_1')
  phone.send('PAYMENT_SUCCESS', { roomId: 'payment_1' }, 'an-id')
  await shop.next('PAYMENT_SUCCESS')

  const port = Number(new URL(api).port)
  const fragmented = await RawPeer.open(t, port)
  const join = Buffer.from(JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId: 'payment_1', deviceId: 'device_3' } }))
  fragmented.write(...fragments([join.subarray(0, 9), join.subarray(9)]))
  await fragmented.next('ROOM_JOINED')
  const upgradedByHttp = await RawPeer.dial(t, port)
  const request = handshake()
  upgradedByHttp.write(request.slice(0, 20))
  await sleep(50)
  upgradedByHttp.write(request.slice(20))
  await upgradedByHttp.next('CONNECTION_ESTABLISHED')

  const text = async (path: string, init?: RequestInit) => (await fetch(api + path, init)).text()
  const json = { method: 'POST', headers: { 'content-type': 'application/json' } }
  for (const path of ['/', '/health', '/ready', '/metrics', '/api/server/status', '/api/rooms', '/api/rooms/payment_1', '/docs', '/docs/static/index.html', '/docs/json', '/playground', '/nowhere', '/%']) await text(path)
  t.match(await text('/api/rooms/payment_1/events', { ...json, body: JSON.stringify({ type: 'CLICKED_PAY' }) }), /"seq"/)
  await text('/api/rooms/payment_1/events', { ...json, body: '{' })
  const stream = await fetch(`${api}/api/rooms/payment_1/events`, { headers: { accept: 'text/event-stream' } })
  const reader = stream.body!.getReader()
  t.match(Buffer.from((await reader.read()).value!).toString(), /^(event|id|data|retry|:)/m)
  await reader.cancel()
  const malformed = await RawPeer.dial(t, port)
  malformed.write('not HTTP\r\n\r\n')
  await until('the malformed request is answered', () => malformed.isOver)

  const command = plainNode(...flags, `${ROOT}/dist/src/cli/index.js`, 'simulate', 'payment_2', '--pause', '0', '--drop', '--timeout', '60', '--url', url)
  t.equal((await promisify(execFile)(...command, { env: { PATH: process.env.PATH } })).stderr, '', 'the command line prints no warning')
  t.ok(phone.frames.length > 0)
}

/** Starts a server with these flags, uses it and stops it. */
async function checkSilence (t: Test, flags: readonly string[], env: Record<string, string>): Promise<void> {
  const server = startProcess({ PORT: '0', ...env }, { cwd: t.testdir({}), flags })
  t.teardown(() => server.child.kill('SIGKILL'))
  const url = () => /ws:\/\/127\.0\.0\.1:\d+/.exec(server.output())?.[0]
  await until(() => `the server listens; its output: ${server.output()}`, () => url() !== undefined || server.child.exitCode !== null, 60_000)
  t.ok(url(), server.output())
  const metrics = await (await fetch(`${url()!.replace('ws:', 'http:')}/metrics`)).text()
  t.match(metrics, new RegExp(`^wsp_fast_path ${Number(env.FAST_PATH !== 'off')}$`, 'm'), server.output())
  await useEverything(t, url()!, flags)
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)
  t.equal(server.errors(), '')
  t.notMatch(server.output(), /deprecat/i)
}

t.test('Nothing is printed under --pending-deprecation, with the log for people', async (t) => {
  await checkSilence(t, PENDING, {})
})

t.test('Nothing stops under --throw-deprecation, with the log for machines and with traces', async (t) => {
  const { url, requests } = await collector(t)
  await checkSilence(t, THROWING, { NODE_ENV: 'production', OTEL_EXPORTER_OTLP_ENDPOINT: url })
  t.ok(requests() > 0, 'the traces were sent')
})

t.test('Nothing is printed and nothing stops without the fast path', async (t) => {
  await checkSilence(t, THROWING, { NODE_ENV: 'production', FAST_PATH: 'off' })
})

t.test('Nothing is printed and nothing stops over Redis', { skip: withoutRedis }, async (t) => {
  await checkSilence(t, THROWING, { NODE_ENV: 'production', REDIS_URL: (await startRedis(t)).url })
})
