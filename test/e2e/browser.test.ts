// A real browser: the seed's client from the console, and Swagger UI.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { Peer } from '../peer.js'
import { until } from '../until.js'

t.test('The seed\'s JavaScript client works when it is pasted into a browser console', needsChromium, async (t) => {
  const { app, port, url } = await listen(t)
  const { page, lines } = await openPage(t, `http://127.0.0.1:${port}/docs`)
  const source = readFileSync(join(ROOT, 'test/fixtures/seed-client.js'), 'utf8').replace('ws://localhost:8080', url)
  await page.evaluate(source)
  await until('the page joined', () => app.rooms.size === 1)
  const phone = await Peer.connect(t, url)
  phone.send('PAYMENT_SUCCESS', { roomId: 'payment_123', deviceId: 'device_2', transactionId: 'tx_456789', amount: 99.9 })
  await until(`four lines are printed: ${lines.join(' | ')}`, () => lines.length === 4)
  t.match(lines, ['Conectado ao servidor', /^Mensagem recebida:.*CONNECTION_ESTABLISHED/, /^Mensagem recebida:.*ROOM_JOINED/, /^Mensagem recebida:.*PAYMENT_SUCCESS/])
})

t.test('Swagger UI lists the operations, and "Try it out" calls them', needsChromium, async (t) => {
  const { port, url } = await listen(t)
  const shop = await Peer.connect(t, url)
  await shop.join('payment_123')
  const { page, lines } = await openPage(t, `http://127.0.0.1:${port}/docs`)
  const operation = page.locator('#operations-Messages-broadcastToRoom')
  await operation.locator('.opblock-summary-control').click()
  await operation.locator('.try-out__btn').click()
  await operation.locator('.execute').click()
  const { payload } = await shop.next('PAYMENT_UPDATE')
  t.match(payload, { roomId: 'payment_123', message: 'Pagamento processado com sucesso!', idSeguro: 'seguro_123456' }, 'the examples are a valid request')
  await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).first().waitFor()
  t.strictSame(lines, [], 'no error in the console')
})

t.test('A page of a foreign origin gets no socket, and a page of a listed origin does', needsChromium, async (t) => {
  const site = http.createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>a shop</title>') })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  t.teardown(() => site.close().closeAllConnections())
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  const { page } = await openPage(t, origin)
  const outcome = (url: string) => page.evaluate((url) => new Promise((resolve) => {
    const socket = new WebSocket(url)
    socket.onmessage = ({ data }) => resolve(JSON.parse(data as string).type)
    socket.onclose = ({ code }) => resolve(code)
  }), url)
  const foreign = await listen(t, { env: { ALLOWED_ORIGINS: 'https://shop.example' } })
  t.equal(await outcome(foreign.url), 1006)
  t.equal(foreign.app.sessions.size, 0)
  const own = await listen(t, { env: { ALLOWED_ORIGINS: `https://shop.example,${origin}` } })
  t.equal(await outcome(own.url), 'CONNECTION_ESTABLISHED')
})

t.test('With keys set, the Authorize button takes a key, and "Try it out" sends it', needsChromium, async (t) => {
  const { port } = await listen(t, { env: { API_KEYS: 'the-key', TOKEN_SECRET: 'a secret for tests with 32 bytes and more' } })
  const { page, lines } = await openPage(t, `http://127.0.0.1:${port}/docs`)
  await page.locator('.auth-wrapper .btn.authorize').first().click()
  const form = page.locator('.auth-container', { hasText: 'apiKey' }).first()
  await form.locator('input').fill('the-key')
  await form.locator('.btn.authorize').click()
  await page.locator('.btn-done').first().click()
  const operation = page.locator('#operations-Rooms-createRoom')
  await operation.locator('.opblock-summary-control').click()
  await operation.locator('.try-out__btn').click()
  await operation.locator('.execute').click()
  await operation.locator('.live-responses-table .response-col_status', { hasText: '201' }).first().waitFor()
  t.match(await operation.locator('.curl-command').innerText(), 'Authorization: Bearer the-key')
  t.match(await operation.locator('.live-responses-table').innerText(), /"device1": "eyJ/, 'the answer has a token for each device')
  t.strictSame(lines, [], 'no error in the console')
})
