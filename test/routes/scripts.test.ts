// /client.js and /payment-status.js: the client for pages of every origin, and its versions.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { pageScript } from '../../src/http/page-scripts.js'
import { ROOT } from '../../src/root.js'
import { build } from '../build.js'
import { bundle } from '../client/bundle.js'

t.test('the client is served to pages of every origin, also where only some may use the API', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key', ALLOWED_ORIGINS: 'https://shop.example' } })
  for (const [url, name] of [['/client.js', 'connect'], ['/payment-status.js', 'payment-status']] as const) {
    const { statusCode, headers, body } = await app.inject({ url, headers: { origin: 'https://elsewhere.example' } })
    t.equal(statusCode, 200)
    t.equal(headers['content-type'], 'text/javascript; charset=utf-8')
    t.equal(headers['access-control-allow-origin'], '*')
    t.equal(headers['cross-origin-resource-policy'], 'cross-origin')
    t.equal(headers['cache-control'], 'public, max-age=3600')
    t.match(body, name)
    t.notMatch(body, /\b(?:import|require)\s*[({'"*]/, 'it imports nothing')
  }
})

t.test('a browser that has the version gets no body', async (t) => {
  const { app } = await build(t)
  const { etag } = (await app.inject('/client.js')).headers
  t.match(etag, /^"[\w-]{22}"$/)
  for (const [tag, status] of [[etag!, 304], [`W/${etag}`, 304], [`"another", ${etag}`, 304], ['*', 304], ['"another"', 200]] as const) {
    const { statusCode, body, headers } = await app.inject({ url: '/client.js', headers: { 'if-none-match': tag } })
    t.equal(statusCode, status, tag)
    t.equal(body === '', status === 304)
    t.equal(headers.etag, etag)
  }
})

t.test('the built script is served, and without a build the same code is made from the sources', async (t) => {
  const folder = t.testdir({ 'client.js': 'built' })
  const { text, etag } = await pageScript(folder, 'client')
  t.equal(text, 'built')
  const sources = await pageScript(join(folder, 'none'), 'client')
  t.not(sources.etag, etag)
  t.equal(sources.text, readFileSync(join(ROOT, 'dist', 'page-scripts', 'client.js'), 'utf8'))
  t.equal(sources.text, (await bundle()).text, 'and its size is that which test/client/bundle.test.ts limits')
  t.ok(gzipSync((await pageScript(folder, 'payment-status')).text).length < 10 * 1024)
})

t.test('the scripts are not part of the OpenAPI document', async (t) => {
  const { app } = await build(t)
  t.strictSame(Object.keys((await app.openapi()).paths!).filter((path) => path.endsWith('.js')), [])
})
