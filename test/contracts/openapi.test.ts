// Published contract of the REST API: current, complete, named throughout, free of findings, and true in every example.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import spectral from '@stoplight/spectral-core'
import parsers from '@stoplight/spectral-parsers'
import rulesets from '@stoplight/spectral-rulesets'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import { ROOT, VERSION } from '../../src/root.js'
import { build } from '../build.js'
import { checker, document as documentOf, objectsIn, read } from '../contracts.js'
import { plainNode } from '../plain-node.js'

interface Operation { operationId: string, tags: string[], summary: string, description: string, security: unknown, responses: Record<string, { content: unknown }> }
/** Secret of a server that takes a URL for webhooks. */
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(24, 'x').toString('base64')}`

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

t.test('openapi.yaml equals the document made from the routes', async (t) => {
  const { app } = await build(t)
  t.equal(read('openapi.yaml'), stringify(await app.openapi(), { aliasDuplicateObjects: false }), 'run `npm run contracts`')
})

t.test('the document has every route of the API, and describes each operation', async (t) => {
  const { app } = await build(t)
  const document = documentOf('openapi.yaml')
  t.match(document, { openapi: '3.1.0', info: { version: VERSION } })
  const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([url, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ url: url.replace(/\{(\w+)\}/g, ':$1'), method: method.toUpperCase(), ...item[method]! })))
  t.strictSame(operations.map(({ operationId }) => operationId).sort(), [
    'broadcastToRoom', 'closeRoom', 'createRoom', 'createRoomToken', 'getFunnel', 'getHealth', 'getMetrics', 'getReadiness', 'getRoom', 'getRoomState',
    'getServerInfo', 'getServerStatus', 'listChanges', 'listNodes', 'listRefusedDeliveries', 'listRoomEvents', 'listRooms', 'listWebhookDeliveries', 'publishRoomEvent', 'publishRoomEvents', 'receiveWebhook', 'retryWebhookDelivery', 'updateRoom'
  ])
  for (const { url, method, operationId, tags, summary, description, security, responses } of operations) {
    t.ok(app.hasRoute({ url, method: method as 'GET' }), `${method} ${url} exists`)
    t.ok(tags.length === 1 && summary && description && security, `${operationId} has a tag, a summary, a description and its security`)
    t.ok(Object.keys(responses).some((status) => status.startsWith('4')), `${operationId} has its error answers`)
    for (const [status, answer] of Object.entries(responses)) {
      // An empty body, the text format of Prometheus, and the text that a provider of payments demands.
      if (status === '204' || (['getMetrics', 'receiveWebhook'].includes(operationId) && status === '200')) continue
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

t.test('Redocly\'s recommended rules report no finding', async (t) => {
  t.strictSame(documentOf('redocly.yaml'), { extends: ['recommended'], apis: { rest: { root: 'openapi.yaml' } } }, 'no rule is left out')
  const bin = join(createRequire(import.meta.url).resolve('@redocly/cli/package.json'), '..', 'bin', 'cli.js')
  // Network access of Redocly is blocked.
  const offline = 'data:text/javascript,import net from "node:net"; net.Socket.prototype.connect = () => { throw new Error("no network") }'
  const child = spawn(...plainNode('--import', encodeURI(offline), bin, 'lint', '--format=json'), {
    cwd: ROOT, env: { PATH: process.env.PATH, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }, stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000
  })
  const { totals, problems } = await json(child.stdout) as { totals: object, problems: unknown }
  t.strictSame(problems, [])
  t.match(totals, { errors: 0, warnings: 0, ignored: 0 })
})

t.test('Spectral\'s recommended rules report no finding', async (t) => {
  t.strictSame(documentOf('.spectral.yaml'), { extends: [['spectral:oas', 'recommended']] }, 'no rule is left out')
  const linter = new spectral.Spectral()
  linter.setRuleset({ extends: [[rulesets.oas as never, 'recommended']] })
  const findings = (text: string) => linter.run(new spectral.Document(text, parsers.Yaml, 'openapi.yaml'))
  t.strictSame(await findings(read('openapi.yaml')), [])
  t.not((await findings('openapi: 3.1.0\ninfo: {}\npaths: {}\n')).length, 0, 'the linter reports an invalid document')
})

interface Media { schema: object, example?: unknown, examples?: Record<string, { summary: string, value: unknown }> }

t.test('every request and response body has examples, and every example fits its schema', async (t) => {
  const document = documentOf('openapi.yaml')
  const check = checker(document)
  let checked = 0
  const fits = (place: readonly (string | number)[], value: unknown) => {
    t.strictSame(check(place, value), [])
    checked++
  }
  for (const [place, object] of objectsIn(document)) {
    const key = place.at(-2)
    // Examples of a body; of a parameter or a header; of a schema itself.
    if (key === 'content') {
      const examples = Object.values((object as unknown as Media).examples ?? {})
      t.ok(examples.length > 0, `${place.join(' ')} has an example`)
      for (const { summary, value } of examples) {
        t.ok(summary)
        fits([...place, 'schema'], value)
      }
    } else if (object.schema && object.example !== undefined) fits([...place, 'schema'], object.example)
    else if (Array.isArray(object.examples)) for (const example of object.examples) fits(place, example)
  }
  t.ok(checked > 200, `${checked} examples`)
})

t.test('a nullable value is an `anyOf` of its schema and null, which generators understand; no list of types, no null in an enum', async (t) => {
  let nullable = 0
  for (const name of ['openapi.yaml', 'asyncapi.yaml']) {
    for (const [place, object] of objectsIn(documentOf(name))) {
      // Values are no schemas.
      if (place.some((key) => ['examples', 'example', 'value'].includes(String(key)))) continue
      const where = `${name} ${place.join(' ')}`
      t.notOk(Array.isArray(object.type), `${where} has one type`)
      t.notOk('nullable' in object, `${where}: that is OpenAPI 3.0`)
      t.notOk(Array.isArray(object.enum) && object.enum.includes(null), `${where} has no null in its enum`)
      if (object.type !== 'null') continue
      t.strictSame([place.at(-2), place.at(-1), Object.keys(object)], ['anyOf', '1', ['type']], `${where} is the second of two`)
      nullable++
    }
  }
  t.ok(nullable >= 5, `${nullable} nullable values`)
})

t.test('a body may be left out only where the document makes it optional; null and other types are refused', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret that has thirty-two bytes or more' } })
  const json = { 'content-type': 'application/json' }
  interface Operation { readonly operationId: string, readonly requestBody: { readonly required?: boolean } }
  const withBody = [...objectsIn(documentOf('openapi.yaml').paths)].filter(([, { requestBody }]) => requestBody) as unknown as Array<[place: [url: string, method: string], Operation]>
  t.equal(withBody.length, 6)
  for (const [[url, method], { operationId, requestBody }] of withBody) {
    const send = (headers: object, payload?: string) => app.inject({
      method: method.toUpperCase() as 'POST', url: url.replace('{roomId}', 'r'), headers: { authorization: 'Bearer key', ...headers }, ...(payload !== undefined && { payload })
    })
    for (const [what, headers, payload] of [
      ['nothing', {}], ['a length of 0', { 'content-length': '0' }], ['a type alone', json], ['a type and a length of 0', { ...json, 'content-length': '0' }], ['an empty text', json, '']
    ] as const) {
      const answer = await send(headers, payload)
      if (requestBody.required) {
        t.equal(answer.statusCode, 400, `${operationId}: ${what}`)
        t.match(answer.json(), { code: 'INVALID_REQUEST', details: [{ key: 'body' }] })
      } else {
        t.equal(answer.statusCode, 201, `${operationId}: ${what}`)
        t.match(answer.json().data.roomId, /^[\w-]{22}$/)
      }
    }
    for (const payload of ['null', '[]', '5', 'false', '"x"']) {
      const answer = await send(json, payload)
      t.equal(answer.statusCode, 400, `${operationId}: ${payload}`)
      t.match(answer.json(), { code: 'INVALID_REQUEST', details: [{ key: 'body', rule: 'must be object' }] })
    }
    t.match((await send(json, ' ')).json(), { code: 'INVALID_JSON' })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) t.equal((await send({ 'content-type': type }, '{}')).statusCode, 415, `${operationId}: ${type}`)
  }
  t.strictSame(withBody.filter(([, { requestBody }]) => !requestBody.required).map(([, { operationId }]) => operationId), ['createRoom'])
})

t.test('every error response shows codes of its own status', async (t) => {
  const { paths } = documentOf('openapi.yaml')
  for (const [, { operationId, responses }] of objectsIn(paths)) {
    if (!operationId) continue
    for (const [status, { content }] of Object.entries<{ content: Record<string, Media> }>(responses as never)) {
      if (Number(status) < 400 || operationId === 'getReadiness') continue
      for (const [code, { value }] of Object.entries(content['application/json']!.examples!)) {
        t.equal(ERRORS[code as ErrorCode].status, Number(status), `${String(operationId)} ${status} ${code}`)
        t.match(value, { success: false, code })
      }
    }
  }
})

t.test('the requests of the examples succeed, and their responses fit the document', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret that has thirty-two bytes or more', WEBHOOK_SECRET } })
  const document = documentOf('openapi.yaml')
  const check = checker(document)
  const operations = [...objectsIn(document.paths)].filter(([, { operationId }]) => operationId)
  const ask = async (wanted: string) => {
    const [[url, method], { requestBody, responses }] = operations.find(([, { operationId }]) => operationId === wanted) as [[string, string], any]
    const requests = Object.values<{ value: object } | undefined>(requestBody?.content['application/json'].examples ?? { none: undefined })
    for (const request of requests) {
      const answer = await app.inject({
        method: method.toUpperCase() as 'GET', url: url.replace('{roomId}', 'payment_123'), headers: { authorization: 'Bearer key' }, ...(request && { payload: request.value })
      })
      const status = Object.keys(responses)[0]!
      t.equal(String(answer.statusCode), status, `${wanted}: ${answer.body.slice(0, 200)}`)
      if (status === '204') continue
      const mediaType = String(answer.headers['content-type']).split(';')[0]!
      t.strictSame(check(['paths', url, method, 'responses', status, 'content', mediaType, 'schema'], mediaType === 'application/json' ? answer.json() : answer.body), [])
    }
  }
  const order = [
    'getServerInfo', 'getHealth', 'getReadiness', 'getMetrics', 'getServerStatus', 'createRoom', 'createRoomToken', 'publishRoomEvent', 'publishRoomEvents', 'broadcastToRoom',
    'listRooms', 'getRoom', 'getRoomState', 'updateRoom', 'listRoomEvents', 'closeRoom', 'listChanges', 'getFunnel', 'listNodes', 'listRefusedDeliveries', 'listWebhookDeliveries'
  ]
  // Webhooks have signed bodies, which test/providers/ sends; and a webhook that can be sent again needs a receiver, which test/webhooks/ starts.
  t.strictSame([...order, 'receiveWebhook', 'retryWebhookDelivery'].sort(), operations.map(([, { operationId }]) => operationId).sort())
  for (const operationId of order) await ask(operationId)
})
