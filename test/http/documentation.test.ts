// Documentation at /docs: made by the first request, the same for all, and with the answers of a file server.
import t from 'tap'
import { parse } from 'yaml'
import { build } from '../build.js'

t.test('the first requests may come at once, and get the same document', async (t) => {
  const { app } = await build(t)
  const [document, json, yaml, page, again] = await Promise.all([app.openapi(), app.inject('/docs/json'), app.inject('/docs/yaml'), app.inject('/docs'), app.inject('/docs/json')])
  t.equal(json.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(yaml.headers['content-type'], 'application/x-yaml')
  t.match(page.headers['content-type'], /^text\/html/)
  t.strictSame(json.json(), JSON.parse(JSON.stringify(document)))
  t.strictSame(parse(yaml.body), json.json())
  t.equal(json.body, again.body)
})

t.test('the page finds its files from both spellings of its URL', async (t) => {
  const { app } = await build(t)
  for (const url of ['/docs', '/docs/']) {
    const { body, statusCode, headers } = await app.inject(url)
    t.equal(statusCode, 200, url)
    t.match(headers['content-security-policy'], /default-src 'self'/, 'the headers of the server are on the page')
    const files = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => new URL(file!, `http://here${url}`).pathname)
    t.ok(files.length >= 6)
    t.match(body, /<title>WebSocket Payment Server<\/title>[^]*<link rel="icon" type="image\/svg\+xml"/)
    for (const file of files) {
      const answer = await app.inject(file)
      t.equal(answer.statusCode, 200, file)
      t.equal(Number(answer.headers['content-length']), answer.rawPayload.length)
      t.match(answer.headers['content-type'], /^(text|application|image)\//)
    }
  }
  const { statusCode, headers } = await app.inject('/docs/static/index.html')
  t.strictSame([statusCode, headers.location], [302, '/docs/'])
})

t.test('a file is not sent again to a client that has it, and in part to one that asks for a part', async (t) => {
  const { app } = await build(t)
  const url = '/docs/static/swagger-ui.css'
  const { headers: { etag }, rawPayload, headers } = await app.inject(url)
  t.match(etag, /^W\/"/)
  const cached = await app.inject({ url, headers: { 'if-none-match': String(etag) } })
  t.strictSame([cached.statusCode, cached.body], [304, ''])
  const part = await app.inject({ url, headers: { range: 'bytes=2-5' } })
  t.strictSame([part.statusCode, part.body], [206, rawPayload.subarray(2, 6).toString()])
  t.match(part.headers['content-range'], /^bytes 2-5\//)
  const head = await app.inject({ method: 'HEAD', url })
  t.strictSame([head.statusCode, head.body, head.headers['content-length']], [200, '', headers['content-length']])
})

t.test('any other URL below /docs is answered as one that does not exist', async (t) => {
  const { app } = await build(t)
  for (const url of ['/docs/nothing', '/docs/static/nothing.js', '/docs/static/..%2f..%2fpackage.json', '/docs/health', '/docs/static']) {
    const { statusCode, body } = await app.inject(url)
    t.equal(statusCode, 404, url)
    t.match(JSON.parse(body), { success: false, code: 'NOT_FOUND' }, url)
  }
  t.equal((await app.inject({ method: 'POST', url: '/docs/json' })).statusCode, 404)
})

t.test('without DOCS there are no pages, but the document is', async (t) => {
  const { app } = await build(t, { env: { DOCS: 'false' } })
  t.equal((await app.inject('/docs')).statusCode, 404)
  t.match(await app.openapi(), { openapi: '3.1.0' })
})

t.test('a route of an application around the server, with a schema of its own, works and is in the document', async (t) => {
  const { app } = await build(t, {
    prepare: (app) => app.register(async (own) => {
      own.addSchema({ $id: 'Greeting', type: 'object', properties: { hello: { type: 'string', format: 'date' } } })
      own.get('/greeting', {
        config: { action: 'public' },
        schema: { querystring: { type: 'object', properties: { on: { type: 'string', format: 'date' } } }, response: { 200: { type: 'object', properties: { hello: { type: 'string', format: 'date' } } } } }
      }, async ({ query }) => ({ hello: (query as { on: string }).on, hidden: 1 }))
    })
  })
  t.equal((await app.inject('/greeting?on=2026-11-30')).body, '{"hello":"2026-11-30"}')
  t.equal((await app.inject('/greeting?on=yesterday')).statusCode, 400)
  const { paths, components } = (await app.inject('/docs/json')).json()
  t.ok('/greeting' in paths)
  t.equal(components.schemas.Greeting.type, 'object')
})
