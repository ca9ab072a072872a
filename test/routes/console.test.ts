// Files of the console: the settings that serve them, their content types, no other file, and what a visitor may do.
import { once } from 'node:events'
import http from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { build, listen } from '../build.js'
import { checkTexts, filesOf } from '../pages.js'

const FOLDER = join(ROOT, 'pages', 'console')
const on = { env: { CONSOLE: 'true' } }

t.test('in production the console is served only with CONSOLE=true', async (t) => {
  const { app } = await build(t)
  for (const url of ['/console', '/console/', '/console/console.js', '/console/access']) t.match((await app.inject(url)).json(), { success: false, code: 'NOT_FOUND' }, url)
  t.notOk('console' in (await app.inject('/')).json().endpoints)
  const { app: asked } = await build(t, on)
  t.equal((await asked.inject('/console/')).statusCode, 200)
  t.equal((await asked.inject('/console')).headers.location, 'console/')
  t.equal((await asked.inject('/')).json().endpoints.console, 'GET /console')
})

t.test('outside production the console is served unless CONSOLE=false', async (t) => {
  const settings = { NODE_ENV: 'development', LOG_LEVEL: 'silent' }
  t.equal((await (await build(t, { env: settings })).app.inject('/console/')).statusCode, 200)
  t.equal((await (await build(t, { env: { ...settings, CONSOLE: 'false' } })).app.inject('/console/')).statusCode, 404)
})

t.test('every file is served with its content type, and needs nothing that the content security policy forbids', async (t) => {
  const { app } = await build(t, on)
  const types: Record<string, RegExp> = { html: /^text\/html/, js: /^(text|application)\/javascript/, css: /^text\/css/, svg: /^image\/svg\+xml/ }
  for (const [file, text] of filesOf(FOLDER)) {
    const { statusCode, headers, body } = await app.inject(`/console/${file}`)
    t.equal(statusCode, 200, file)
    t.match(headers['content-type'], types[file.split('.').at(-1)!]!, file)
    t.match(headers['content-security-policy'], /script-src 'self';[^]*frame-ancestors 'self'|frame-ancestors 'self'[^]*script-src 'self';/)
    t.equal(body, text)
    if (file.endsWith('.html')) t.notMatch(text, /<script(?![^>]*\bsrc=)|\bon\w+="|\bstyle=|<style|https?:/, file)
  }
})

t.test('no path leads out of the folders of the console', async (t) => {
  const { port } = await listen(t, on)
  for (const path of ['../package.json', '%2e%2e/package.json', '..%2fpackage.json', '..%5cpackage.json', 'x/../../package.json', '%00', '..', '//etc/passwd', '../playground/pay.html', 'pay.html', 'nothing.html']) {
    const request = http.get({ port, host: '127.0.0.1', path: `/console/${path}`, agent: false })
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    t.ok([400, 403, 404].includes(response.statusCode!), `${path}: ${response.statusCode}`)
    t.equal(JSON.parse(await text(response)).success, false)
  }
})

t.test('the console is not part of the OpenAPI document', async (t) => {
  const { app } = await build(t, on)
  t.strictSame(Object.keys((await app.openapi()).paths!).filter((path) => path.includes('console')), [])
})

t.test('the page learns what its visitor may do', async (t) => {
  const access = async (env: Record<string, string>, key?: string) => {
    const { app } = await build(t, { env: { CONSOLE: 'true', ...env } })
    const { statusCode, body } = await app.inject({ url: '/console/access', headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })
    return statusCode === 200 ? JSON.parse(body).data : statusCode
  }
  const keys = { API_KEYS: 'a-key,read:r-key', TOKEN_SECRET: 'x'.repeat(32), PLAYGROUND: 'true' }
  t.strictSame(await access({}), { manages: true, isBackend: false, hasTokens: false, playground: false })
  t.strictSame(await access(keys, 'a-key'), { manages: true, isBackend: true, hasTokens: true, playground: true })
  t.strictSame(await access(keys, 'r-key'), { manages: false, isBackend: false, hasTokens: true, playground: true })
  t.equal(await access(keys), 401)
  t.equal(await access(keys, 'wrong'), 401)
})

t.test('both languages have every text, and every text is used', async (t) => { await checkTexts(t, FOLDER) })
