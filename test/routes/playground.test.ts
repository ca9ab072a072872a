// Files of the playground: the settings that serve them, their content types, and no other file.
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { browserModule } from '../../src/http/browser-module.js'
import { ROOT } from '../../src/root.js'
import { build, listen } from '../build.js'

const FOLDER = join(ROOT, 'pages', 'playground')
const on = { env: { PLAYGROUND: 'true' } }

/** Requests a path as written, which a client would normalise first. */
async function raw (port: number, path: string): Promise<{ status: number, body: string }> {
  const request = http.get({ port, host: '127.0.0.1', path, agent: false })
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  return { status: response.statusCode!, body: await text(response) }
}

t.test('in production the playground is served only with PLAYGROUND=true', async (t) => {
  const { app } = await build(t)
  for (const url of ['/playground', '/playground/', '/playground/playground.js', '/playground/client/index.js', '/playground/qr/index.js']) {
    const { statusCode, json } = await app.inject(url)
    t.equal(statusCode, 404, url)
    t.match(json(), { success: false, code: 'NOT_FOUND' })
  }
  t.notOk('playground' in (await app.inject('/')).json().endpoints)
  const { app: asked } = await build(t, on)
  t.equal((await asked.inject('/playground/')).statusCode, 200)
  t.equal((await asked.inject('/')).json().endpoints.playground, 'GET /playground')
})

t.test('outside production the playground is served unless PLAYGROUND=false', async (t) => {
  const { app } = await build(t, { env: { NODE_ENV: 'development', LOG_LEVEL: 'silent' } })
  t.equal((await app.inject('/playground/')).statusCode, 200)
  const { app: declined } = await build(t, { env: { NODE_ENV: 'development', LOG_LEVEL: 'silent', PLAYGROUND: 'false' } })
  t.equal((await declined.inject('/playground/')).statusCode, 404)
})

t.test('the address without a slash redirects to the playground with a relative location', async (t) => {
  const { app } = await build(t, on)
  const { statusCode, headers } = await app.inject('/playground')
  t.equal(statusCode, 302)
  t.equal(headers.location, 'playground/')
})

t.test('every file is served with its content type and the content security policy of the server', async (t) => {
  const { app } = await build(t, on)
  const types: Record<string, RegExp> = { html: /^text\/html/, js: /^(text|application)\/javascript/, css: /^text\/css/, svg: /^image\/svg\+xml/ }
  const files = readdirSync(FOLDER)
  t.ok(files.length > 8)
  for (const file of [...files, 'client/index.js', 'client/room.js', 'qr/index.js']) {
    const { statusCode, headers, body } = await app.inject(`/playground/${file}`)
    t.equal(statusCode, 200, file)
    t.match(headers['content-type'], types[file.split('.').at(-1)!]!, file)
    t.match(headers['content-security-policy'], /script-src 'self';/)
    t.equal(headers['x-content-type-options'], 'nosniff')
    if (files.includes(file)) t.equal(body, readFileSync(join(FOLDER, file), 'utf8'))
  }
  for (const file of files.filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(join(FOLDER, file), 'utf8')
    t.notMatch(html, /<script(?![^>]*\bsrc=)|\bon\w+="|\bstyle=|<style|https?:/, `${file} needs nothing that the policy forbids, and no other server`)
  }
})

t.test('no path leads out of the folders of the playground', async (t) => {
  const { port } = await listen(t, on)
  for (const path of [
    '../package.json', '%2e%2e/package.json', '..%2fpackage.json', '%2e%2e%2fpackage.json', '..%5cpackage.json', 'x/../../package.json', './/../package.json', '%00', '..', '/etc/passwd', '//etc/passwd',
    'client/', 'client/..%2fconfig.js', 'client/../config.js', 'client/%2e%2e%2fconfig.js', 'client/..%2f..%2fpackage.js', 'client/index.ts', 'client/index.js%00', 'client/Index.js', 'client/nothing.js',
    'qr/', 'qr/package.json', 'qr/decode.js', 'nothing.html'
  ]) {
    const { status, body } = await raw(port, `/playground/${path}`)
    t.ok([400, 403, 404].includes(status), `${path}: ${status}`)
    t.equal(JSON.parse(body).success, false)
  }
})

t.test('the playground is not part of the OpenAPI document', async (t) => {
  const { app } = await build(t, on)
  t.strictSame(Object.keys((await app.openapi()).paths!).filter((path) => path.includes('playground')), [])
})

t.test('a built module of the client is served unchanged, and a source is compiled', async (t) => {
  const folder = t.testdir({
    'built.js': 'export const a = 1\n',
    'source.ts': 'import type { B } from \'./built.js\'\nexport class A { constructor (readonly b: B) {} }\n',
    'both.js': 'built',
    'both.ts': 'let source: string'
  })
  t.equal(await browserModule(folder, 'built'), 'export const a = 1\n')
  t.equal(await browserModule(folder, 'both'), 'built')
  const compiled = await browserModule(folder, 'source')
  t.match(compiled, /this\.b = b/)
  t.notMatch(compiled, /\btype\b|import/)
  t.equal(await browserModule(folder, 'source'), compiled, 'a second request gives the same module')
  writeFileSync(join(folder, 'source.ts'), 'export const changed: boolean = true\n')
  t.equal(await browserModule(folder, 'source'), 'export const changed = true;\n', 'a change of the source is served at once')
  t.equal(await browserModule(folder, 'nothing'), undefined)
  await t.rejects(browserModule(join(folder, 'built.js'), 'nothing'), { code: 'ENOTDIR' }, 'a failure other than a missing file rejects')
})

t.test('both languages have every text, and every text is used', async (t) => {
  const { TEXTS: { en, pt } } = await import(join(FOLDER, 'texts.js')) as { TEXTS: { en: Record<string, string>, pt: Record<string, string> } }
  t.strictSame(Object.keys(pt), Object.keys(en))
  const placeholders = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(String).sort()
  const page = readdirSync(FOLDER).filter((name) => name !== 'texts.js').map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n')
  for (const [key, words] of Object.entries(en)) {
    t.ok(words && pt[key], key)
    t.strictSame(placeholders(pt[key]!), placeholders(words), key)
    // Statuses of the client are keys themselves.
    t.ok(/^(connecting|online|offline|closed)$/.test(key) || new RegExp(`\\b${key}\\b`).test(page), `${key} is used`)
  }
  for (const [, key, words] of page.matchAll(/data-t="(\w+)"[^>]*>([^<]*)</g)) t.equal(words, en[key!]?.replace(/ ?\{\w+\}/, ''), `the page shows the text ${key} before its modules load`)
})
