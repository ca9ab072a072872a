// Traces: one span for each REST request at a collector of the test, and no tracing without a collector.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { build, listen } from '../build.js'
import { Peer } from '../peer.js'

interface Span { name: string, attributes: Array<{ key: string, value: { stringValue?: string, intValue?: number } }> }
interface Export { resourceSpans: Array<{ resource: { attributes: Span['attributes'] }, scopeSpans: Array<{ spans: Span[] }> }> }

// Keep this test first: the later ones load OpenTelemetry.
t.test('without a collector no module of OpenTelemetry is loaded', async (t) => {
  const { app } = await build(t)
  t.equal((await app.inject('/api/server/status')).statusCode, 200)
  const { cache } = createRequire(import.meta.url)
  // The package @opentelemetry/api, which has no implementation, comes with prom-client.
  t.strictSame(Object.keys(cache).filter((file) => /@opentelemetry\/(?!api\/)|@fastify\/otel/.test(file)), [])
})

t.test('REST requests are traced by route, without names of rooms; probes and sockets are not traced', async (t) => {
  const exports: Export[] = []
  const paths: string[] = []
  const collector = createServer((request, response) => {
    let body = ''
    paths.push(request.url!)
    request.on('data', (chunk) => { body += String(chunk) })
    request.on('end', () => {
      exports.push(JSON.parse(body) as Export)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => collector.close())
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const { app, url } = await listen(t, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/`, OTEL_SERVICE_NAME: 'payments' } })
  const peer = await Peer.connect(t, url)
  await peer.join('room-with-a-name')
  for (const path of ['/health', '/ready', '/', '/api/rooms/room-with-a-name', '/api/rooms/none']) await app.inject(path)
  await app.close()

  t.ok(paths.length > 0 && paths.every((path) => path === '/v1/traces'))
  const resources = exports.flatMap(({ resourceSpans }) => resourceSpans)
  t.ok(resources.every(({ resource }) => resource.attributes.some(({ key, value }) => key === 'service.name' && value.stringValue === 'payments')))
  const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
  const routes = spans.flatMap(({ attributes }) => attributes.filter(({ key }) => key === 'http.route').map(({ value }) => value.stringValue))
  t.ok(routes.length >= 2 && routes.every((route) => route === '/api/rooms/:roomId'), routes.join(' '))
  const statuses = spans.flatMap(({ attributes }) => attributes.filter(({ key }) => key === 'http.response.status_code').map(({ value }) => value.intValue))
  t.strictSame([...new Set(statuses)].sort(), [200, 404])
})

t.test('an unreachable collector loses the traces, and the server works on', async (t) => {
  const { app, logs } = await build(t, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' } })
  t.equal((await app.inject('/api/server/status')).statusCode, 200)
  await app.close()
  t.ok(logs.some(({ level, msg }) => level === 40 && msg === 'the last traces were not exported'))
})
