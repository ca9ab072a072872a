// The published contract: current, complete, and named throughout.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { ROOT, VERSION } from '../src/root.js'
import { build } from './build.js'

interface Operation { operationId: string, tags: string[], summary: string, description: string, security: unknown, responses: Record<string, { content: unknown }> }
const METHODS = ['get', 'post', 'put', 'patch', 'delete']

t.test('openapi.yaml is what the routes say', async (t) => {
  const { app } = await build(t)
  t.equal(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8'), stringify(app.swagger(), { aliasDuplicateObjects: false }), 'run `npm run openapi`')
})

t.test('it covers every route of the API, and each operation is described', async (t) => {
  const { app } = await build(t)
  const document = parse(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8'))
  t.match(document, { openapi: '3.1.0', info: { version: VERSION } })
  const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([url, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ url: url.replace(/\{(\w+)\}/g, ':$1'), method: method.toUpperCase(), ...item[method]! })))
  t.strictSame(operations.map(({ operationId }) => operationId).sort(), [
    'broadcastToRoom', 'closeRoom', 'createRoom', 'createRoomToken', 'getHealth', 'getMetrics', 'getReadiness', 'getRoom', 'getServerInfo', 'getServerStatus', 'listRoomEvents', 'listRooms', 'publishRoomEvent'
  ])
  for (const { url, method, operationId, tags, summary, description, security, responses } of operations) {
    t.ok(app.hasRoute({ url, method: method as 'GET' }), `${method} ${url} exists`)
    t.ok(tags.length === 1 && summary && description && security, `${operationId} has a tag, a summary, a description and says who may call`)
    t.ok(Object.keys(responses).some((status) => status.startsWith('4')), `${operationId} has its error answers`)
    for (const [status, answer] of Object.entries(responses)) {
      // Nothing, and Prometheus' own text.
      if (status === '204' || (operationId === 'getMetrics' && status === '200')) continue
      t.match(answer.content, { 'application/json': { schema: { $ref: /^#\/components\/schemas\/[A-Z]\w+$/ } } }, 'no anonymous schema')
    }
  }
})

t.test('/docs serves the document and a page for it', async (t) => {
  const { app } = await build(t)
  t.equal((await app.inject('/docs/json')).json().openapi, '3.1.0')
  t.equal(parse((await app.inject('/docs/yaml')).body).openapi, '3.1.0')
  t.match((await app.inject('/docs')).body, /swagger-ui/)
})
